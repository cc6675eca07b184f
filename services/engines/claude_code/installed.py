"""Which program is installed: where it lies, what has to be seen of it, and whether its version will do."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from schemas.engine import FailureKind

NAME = "claude"
OLDEST = (2, 1, 169)  # the first that leaves out what lies in a target: --safe-mode
INSTALL = "install it with `npm install -g @anthropic-ai/claude-code`, or give its path in CLAUDE_CODE_PATH"
UPDATE = "update it with `npm install -g @anthropic-ai/claude-code@latest`"
_VERSION = re.compile(r"^(\d+)\.(\d+)\.(\d+)\b")
_ELF = b"\x7fELF"


@dataclass(frozen=True)
class Problem:
    """Why it cannot be used and what to do."""

    kind: FailureKind
    problem: str
    cure: str


@dataclass(frozen=True)
class Installed:
    """A program that is there. `seen` is what a sandbox has to show; `mark` changes when it is replaced."""

    path: Path
    seen: tuple[Path, ...]
    mark: tuple[int, int, int]


def find(given: Path | None) -> Installed | Problem:
    """Find the program at the path given, else on PATH."""
    named = str(given) if given is not None else shutil.which(NAME)
    if named is None:
        return Problem(FailureKind.NOT_INSTALLED, f"no {NAME} is on the PATH", INSTALL)
    path = Path(named).resolve()
    if not path.is_file():
        return Problem(FailureKind.NOT_INSTALLED, f"{named} is no file", INSTALL)
    status = path.stat()
    if not status.st_mode & 0o111:
        return Problem(FailureKind.NOT_INSTALLED, f"{named} cannot be executed", INSTALL)
    return Installed(path, _seen(path), (status.st_ino, status.st_size, status.st_mtime_ns))


def judge_version(said: str) -> str | Problem:
    """Return the version that `--version` told, if it is new enough."""
    found = _VERSION.match(said.strip())
    if found is None:
        return Problem(FailureKind.NOT_INSTALLED, f"it does not tell its version but {said[:80]!r}", INSTALL)
    oldest = ".".join(map(str, OLDEST))
    if tuple(map(int, found.groups())) < OLDEST:
        return Problem(FailureKind.TOO_OLD, f"version {found[0]} is older than {oldest}", UPDATE)
    return found[0]


def _seen(path: Path) -> tuple[Path, ...]:
    """A binary stands alone; a script of a package needs the package."""
    with path.open("rb") as program:
        if program.read(len(_ELF)) == _ELF:
            return (path,)
    package = next((folder for folder in path.parents[:2] if (folder / "package.json").is_file()), None)
    return (path,) if package is None else (package,)
