"""The words of a search: a stack's members, the candidates made of them, and what came out."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from schemas.findings import Site
from schemas.improvement import LeftOut

BROKE = "the suite fails with it"
UNTESTED = "left out untested: the run budget was spent"
UNSEARCHED = "left out with a part that fails the suite: the run budget did not allow finding which"


@dataclass(frozen=True)
class Member:
    """An improvement in a stack. Equal sites are one; without sites it stands or falls as a whole."""

    id: str
    sites: tuple[Site, ...] = ()


@dataclass(frozen=True)
class Part:
    """A file of a change, or a single site of it."""

    path: str
    site: Site | None = None


@dataclass(frozen=True)
class Share:
    """What a candidate takes of a member: all but `without`, which is empty when it is whole."""

    id: str
    without: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A stack to test: the members it takes something of, in stacking order."""

    shares: tuple[Share, ...] = ()

    @cached_property
    def key(self) -> str:
        """A digest of the content, equal for equal candidates in every process."""
        plain = [
            [
                s.id,
                [[p.path, *((p.site.scope, p.site.text) if p.site is not None else ())] for p in s.without],
            ]
            for s in self.shares
        ]
        return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


@dataclass(frozen=True)
class Split:
    """A member found guilty is tried in `parts` of a `kind`: `file` or `site`."""

    improvement: str
    kind: str
    parts: int
    reason: str = BROKE


@dataclass(frozen=True)
class Guilt:
    """A single part proven guilty: green without it (or the base), red with it in the candidate `red`."""

    improvement: str
    part: Part | None
    red: str


@dataclass(frozen=True)
class Refusal:
    """A gate's refusal of a member, or of parts of it when `parts` is not empty."""

    improvement: str
    reason: str
    parts: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class Test:
    """The suite is to be run on `candidate`. `runs` have been asked for before; `splits` so far."""

    __test__ = False  # pytest would collect it by its name
    candidate: Candidate
    splits: tuple[Split, ...]
    runs: int


@dataclass(frozen=True)
class Done:
    """The search is over; `candidate` is what is kept, tested green exactly so.

    `kept` stand whole, `smaller` without the parts named, `refused` not at all, with the reason.
    """

    candidate: Candidate
    kept: tuple[str, ...]
    smaller: dict[str, tuple[LeftOut, ...]]
    refused: dict[str, str]
    guilty: tuple[Guilt, ...]
    splits: tuple[Split, ...]
    runs: int
