"""What makes a data folder a fork: its marker, and the private copies that stand for what lies outside.

Rules
1. The marker is written before anything else of a fork and goes with it: no file of it is ever without.
2. In a fork every path of a target leads to a copy below the data folder; no other place can be named.
3. Whatever would reach beyond the fork (an address, a command for the outside) is refused or set aside by
   asking `fork_of` for the marker, in one place each.
"""

import json
import re
from dataclasses import asdict, dataclass, field
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
    `targets` are those that have a copy: the path the log records, by id.
    """

    name: str
    seq: int
    hash: str
    time: str
    origin: str
    made: str
    finished: bool = False
    targets: dict[str, str] = field(default_factory=dict)

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
    for recorded in _targets(root).values():
        if copy_of(root, recorded).resolve() == place:
            return recorded
    copies = (root / COPIES).resolve()
    if place != copies and place.is_relative_to(copies):
        return f"/{place.relative_to(copies)}"
    raise TargetProblem(f"{place} is no copy of a target: a fork reaches nothing outside")


def id_of(root: Path, recorded: str) -> str:
    """Return the id of the target recorded at a path, empty for one the fork was opened without."""
    return next((id for id, path in _targets(root).items() if path == recorded), "")


def meant(root: Path, named: str) -> Path:
    """Return the copy a person means by a target's id, its path or that of the copy.

    Raises `TargetProblem`.
    """
    known = _targets(root)
    if named in known:
        return copy_of(root, known[named])
    place = Path(named).resolve()
    found = _inside(root, place) or root / COPIES / place.relative_to("/")
    if not found.exists():
        held = ", ".join(known) or "none"
        raise TargetProblem(
            f"{named} has no copy in this fork, which reaches nothing outside; the targets of its moment"
            f" are: {held} (aps fork list)"
        )
    return found


def _targets(root: Path) -> dict[str, str]:
    fork = fork_of(root)
    return fork.targets if fork else {}


def _inside(root: Path, place: Path) -> Path | None:
    """Return the place in a copy that `place` is, or has its like in: the innermost, for nested targets."""
    fork, found = fork_of(root), []
    for recorded in _targets(root).values():
        copy = copy_of(root, recorded)
        wholes = (copy.resolve(), Path(fork.origin if fork else "", recorded).resolve())
        found += [(len(w.parts), copy / place.relative_to(w)) for w in wholes if place.is_relative_to(w)]
    copies = (root / COPIES).resolve()
    if place.is_relative_to(copies):
        found.append((0, root / COPIES / place.relative_to(copies)))
    return max(found)[1] if found else None
