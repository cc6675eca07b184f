"""The folders in which the program keeps its conversations, one for each session.

The program writes into two folders below; what was counted of it lies beside them, out of its reach. A
folder that nobody went on in for `kept_seconds` is removed when a new session begins, looked for once an
hour at most.
"""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from schemas.engine import Spent

KEPT_SECONDS = 14 * 86_400.0
LOOKED_EVERY = 3_600.0  # seconds


@dataclass(frozen=True)
class Session:
    """One conversation: its id and where it lives. `empty` is a working folder for tasks without one."""

    id: str
    folder: Path

    @property
    def home(self) -> Path:
        """What the program takes for the home of its user."""
        return self.folder / "home"

    @property
    def empty(self) -> Path:
        """A folder with nothing in it."""
        return self.folder / "empty"

    def counted(self) -> Spent:
        """Return what the session had used at the last result; the next one tells it again with its own."""
        if not self._counted.exists():
            return Spent()
        return Spent.model_validate_json(self._counted.read_bytes())

    def count(self, total: Spent) -> None:
        """Keep what the session has used by now."""
        self._counted.write_text(total.model_dump_json(), "utf-8")

    @property
    def _counted(self) -> Path:
        return self.folder / "counted.json"


class Sessions:
    """The sessions below one folder."""

    def __init__(
        self, root: Path, kept_seconds: float = KEPT_SECONDS, now: Callable[[], float] = time.time
    ) -> None:
        self._root = root
        self._kept_seconds = kept_seconds
        self._now = now
        self._looked = -LOOKED_EVERY

    def begin(self) -> Session:
        """Make a new one, and remove those that are too old."""
        self._root.mkdir(parents=True, exist_ok=True)
        if self._now() - self._looked >= LOOKED_EVERY:
            self._looked = self._now()
            self._remove_old()
        id = str(uuid4())
        session = Session(id, self._root / id)
        for folder in (session.folder, session.home, session.empty):
            folder.mkdir()
        return session

    def find(self, id: str) -> Session | None:
        """Return the one with this id and keep it for longer, None when it is gone or was never here."""
        try:
            folder = self._root / str(UUID(id))
        except ValueError:
            return None
        if not (folder / "home").is_dir():
            return None
        folder.touch()
        return Session(folder.name, folder)

    def _remove_old(self) -> None:
        for folder in self._root.iterdir():
            with suppress(FileNotFoundError):  # another process removes it at this moment
                if self._now() - folder.stat().st_mtime > self._kept_seconds:
                    shutil.rmtree(folder)
