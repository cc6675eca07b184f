"""A data folder with the commands given on it: what each said, and how it ended."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.cli_process import ended


@dataclass(frozen=True)
class Ended:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> Any:
        """The JSON on stdout."""
        return orjson.loads(self.out)


@dataclass(frozen=True)
class Place:
    """A data folder; a command brings the servers along where none of its run."""

    home: Path

    def aps(self, *words: str, **settings: str) -> Ended:
        """Run a command to its end."""
        done = ended(self.home, *words, **settings)
        return Ended(done.returncode, done.stdout, done.stderr)
