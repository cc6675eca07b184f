"""What PM does whenever something happened, and what it does not propose again.

Whenever a scan is asked for, the target is searched. Whenever an improvement was discovered, is
retried or waits no longer, its requirements are written. Whenever another system delivered something, it is
read.
A refusal is remembered until the files it was about change.
A limit bounds what is worked on or lands: what is not finished yet, whether found before or just now.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from events.delivery import Received
from events.fact import Fact
from events.improvement import Improvement
from events.improvement_facts import Discovered, Retried, Unblocked
from events.subjects import slug
from events.target import ScanRequested
from schemas.improvement import Status

REMEMBERED = (Status.ABANDONED, Status.DECLINED, Status.ROLLED_BACK)


@dataclass(frozen=True)
class Scan:
    """Search a target."""

    target: str
    scan: str


@dataclass(frozen=True)
class Specify:
    """Write the requirements of an improvement; one that is `new` may be asked for already."""

    improvement: str
    new: bool = False


@dataclass(frozen=True)
class Read:
    """Find out what a delivery asks for."""

    delivery: str


def whenever(id: str, fact: Fact) -> Scan | Specify | Read | None:
    """Return the work that `fact`, recorded on the aggregate `id`, asks for."""
    match fact:
        case ScanRequested(scan=scan):
            return Scan(id, scan)
        case Discovered() | Retried() | Unblocked():
            return Specify(id, new=isinstance(fact, Discovered))
        case Received():
            return Read(id)
        case _:
            return None


def inputs_digest(rule: str, tool: str, blobs: Iterable[tuple[str, str]]) -> str:
    """Return a digest of what a proposal rests on: the rule, the tool's version, the files' contents."""
    content = "\n".join([rule, tool, *(f"{path} {sha}" for path, sha in sorted(blobs))])
    return hashlib.sha256(content.encode()).hexdigest()


def improvement_id(target: str, base: str, rule: str) -> str:
    """Return the id of a rule's improvement at a commit: the same for every scan of it."""
    return f"{slug(rule)}-{hashlib.sha256(f'{target} {base} {rule}'.encode()).hexdigest()[:8]}"


def remembered(inputs: str, earlier: Iterable[tuple[str, Improvement]]) -> str | None:
    """Return why a proposal with these inputs is not made again; None when it is new."""
    for id, improvement in earlier:
        known = improvement.discovered
        if known is not None and known.inputs == inputs and improvement.status in REMEMBERED:
            return f"{id} was {improvement.status.value} on the same files: {improvement.reason}"
    return None


def taken_up(ids: Sequence[str], earlier: Mapping[str, Improvement], limit: int) -> tuple[str, ...]:
    """Return which of `ids`, best first, a scan takes up: at most `limit` (0: all) that are not finished.

    What stood before has the rank it was given since. What ended needs no work, so it takes no place.
    """
    places = {id: earlier[id].rank if id in earlier else n for n, id in enumerate(ids, start=1)}
    chosen: list[str] = []
    room = limit or len(ids)
    for id in sorted(ids, key=lambda one: (places[one], one not in earlier)):
        ended = id in earlier and earlier[id].ended
        if ended or room:
            chosen.append(id)
            room -= not ended
    return tuple(chosen)
