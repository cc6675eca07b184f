"""Names the rules outside a selection, so that a suppression of one is not taken for an unused one."""

import re
import subprocess
from collections.abc import Sequence
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

UNUSED_SUPPRESSION = "RUF100"


class _Known(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str | None
    status: dict[Literal["Stable", "Preview", "Deprecated", "Removed"], object]

    @property
    def may_run(self) -> bool:
        return not self.status.keys() & {"Preview", "Removed"}


_KNOWN = TypeAdapter(tuple[_Known, ...])


@cache
def rules_outside(binary: str, select: tuple[str, ...]) -> tuple[str, ...]:
    """Give the codes that `binary` knows and `select` does not run, where the selection asks about them.

    Nothing unless unused suppressions are looked for at all.
    """
    if not _selected(UNUSED_SUPPRESSION, select):
        return ()
    return tuple(k.code for k in _known(binary) if k.code and not (k.may_run and _selected(k.code, select)))


@cache
def _known(binary: str) -> tuple[_Known, ...]:
    asked = subprocess.run(
        [binary, "rule", "--all", "--output-format", "json"], capture_output=True, check=True
    )
    return _KNOWN.validate_json(asked.stdout)


def _selected(code: str, select: Sequence[str]) -> bool:
    """Whether a prefix chooses a code: `F` is pyflakes, not `FBT`; `PL` is all of pylint's groups."""
    return any(
        prefix == "ALL" or (code.startswith(prefix) and (prefix == "PL" or _group(code) == _group(prefix)))
        for prefix in select
    )


def _group(code: str) -> str:
    return re.sub(r"\d.*", "", code)
