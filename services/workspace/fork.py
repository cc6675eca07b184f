"""What makes a data folder a fork: its marker, and the private copies that stand for what lies outside.

Rules
1. The marker is written before anything else of a fork and goes with it: no file of it is ever without.
2. In a fork every path of a target leads to a copy below the data folder; no other place can be named.
3. Whatever would reach beyond the fork (an address, a command for the outside) is refused or set aside by
   asking `fork_of` for the marker, in one place each.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from services.workspace.target import TargetProblem

MARKER = "fork.json"
COPIES = "copies"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class UnreadableMarker(Exception):  # noqa: N818 -- says what is wrong with it
    """A data folder says it is a fork, and not which: nothing may be done in it."""


@dataclass(frozen=True)
class Fork:
    """A world of its own that shares the log with another up to a sequence.

    `hash` is that of event `seq`, `time` when that was; `origin` is the data folder it was opened from,
    `made` when. `finished` is false until everything it needs was copied.
    """

    name: str
    seq: int
    hash: str
    time: str
    origin: str
    made: str
    finished: bool = False

    @property
    def told(self) -> str:
        """What it is, in one line for people."""
        return f"{self.name}: {self.origin} up to event {self.seq} ({self.time}); nothing outside is touched"

    def text(self) -> str:
        """Return the marker's content."""
        return json.dumps(asdict(self), indent=1) + "\n"


def fork_of(root: Path) -> Fork | None:
    """Return which fork the data folder `root` is, None for any other. Raises `UnreadableMarker`."""
    marker = root / MARKER
    try:
        content = marker.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise UnreadableMarker(f"{marker} cannot be read ({problem.strerror})") from problem
    try:
        return Fork(**json.loads(content))
    except (TypeError, ValueError) as problem:
        raise UnreadableMarker(f"{marker} does not say which fork this is ({problem})") from problem


def copy_of(root: Path, recorded: str) -> Path:
    """Return where the copy of a recorded path stands in the fork `root`. ValueError for one outside it."""
    inner = Path(recorded.lstrip("/"))
    if ".." in inner.parts or not inner.parts:
        raise ValueError(f"{recorded!r} leads out of the fork {root}")
    return root / COPIES / inner if Path(recorded).is_absolute() else root / inner


def recorded_of(root: Path, place: Path) -> str:
    """Return the recorded path whose copy a repository is. Raises `TargetProblem` for anything else."""
    copies = (root / COPIES).resolve()
    if place != copies and place.is_relative_to(copies):
        return f"/{place.relative_to(copies)}"
    raise TargetProblem(f"{place} is no copy of a target: a fork reaches nothing outside")


def meant(root: Path, named: Path) -> Path:
    """Return the copy a person means by the path of a target, or of the copy. Raises `TargetProblem`."""
    place = named.resolve()
    copies = (root / COPIES).resolve()
    found = (
        root
        / COPIES
        / (place.relative_to(copies) if place.is_relative_to(copies) else place.relative_to("/"))
    )
    if not found.exists():
        raise TargetProblem(
            f"{named} has no copy in this fork: it holds the targets of its moment (aps fork list), and"
            " reaches nothing outside"
        )
    return found
