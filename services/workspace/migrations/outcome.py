"""How one step of a target's migrations went, and what the database was made of afterwards."""

from dataclasses import dataclass
from enum import StrEnum


class Went(StrEnum):
    """How a step went."""

    WELL = "well"
    FAILED = "failed"
    ELSEWHERE = "elsewhere"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Ran:
    """One step: how it went, what it said, and the database as it was left."""

    went: Went
    said: tuple[str, ...] = ()
    schema: frozenset[str] = frozenset()
    applied: frozenset[str] = frozenset()

    @property
    def why(self) -> str:
        """What it said, in one line."""
        return "; ".join(self.said)
