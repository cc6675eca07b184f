"""Which gates a change has to pass, and how each stands: the box that always says which are unmet.

Rules
1. Every gate is named, also before it was asked: nothing is met that was not shown.
2. After a refusal the gates that it names are failed; the others are asked again of the next attempt.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from schemas.improvement import GateResult
from services.dossier.improvement import Dossier
from services.gates.catalogue import GATES

_NAMED = re.compile(rf"(?:^|; )({'|'.join(gate.name for gate in GATES)}): ")


class Stand(StrEnum):
    """How a gate stands to a change."""

    PASSED = "passed"
    FAILED = "failed"
    OPEN = "not asked yet"
    IDLE = "not asked: it does not concern this change"


@dataclass(frozen=True)
class Demand:
    """One gate. `evidence` is what it said; `person` why a person decides although it passed."""

    gate: str
    protects: str
    stands: Stand
    evidence: str = ""
    person: str = ""

    @property
    def unmet(self) -> bool:
        """Whether the change cannot go on for want of it."""
        return self.stands in (Stand.FAILED, Stand.OPEN)


def demands_of(one: Dossier) -> tuple[Demand, ...]:
    """Return every gate, in the order of the catalogue, those behind it that only the verdict names."""
    asked = {gate.gate: gate for gate in one.gates}
    failed = dict(gates_in(refusal_standing(one)))
    known = tuple(
        _of_verdict(gate.name, gate.protects, asked) if asked else _before(gate.name, gate.protects, failed)
        for gate in GATES
    )
    others = set(asked) - {gate.name for gate in GATES}
    return known + tuple(_of_verdict(name, "", asked) for name in asked if name in others)


def gates_in(reason: str) -> Iterator[tuple[str, str]]:
    """Give the gates that QA names in a reason, each with what it said."""
    found = list(_NAMED.finditer(reason))
    ends = [gate.start() for gate in found[1:]] + [len(reason)]
    for gate, end in zip(found, ends, strict=False):  # without a gate the end is left over
        yield gate[1], reason[gate.end() : end]


def words_in(reason: str) -> str:
    """Return of a reason what stands before the gates that it names."""
    named = _NAMED.search(reason)
    return reason[: named.start()] if named else reason


def refusal_standing(one: Dossier) -> str:
    """Return why the last attempt was refused; empty where it was not, or the change was written again."""
    if one.gates or not one.refusals or one.refusals[-1].attempt < one.attempts:
        return ""
    return one.refusals[-1].reason


def _of_verdict(name: str, protects: str, asked: dict[str, GateResult]) -> Demand:
    gate = asked.get(name)
    if gate is None:
        return Demand(name, protects, Stand.IDLE)
    return Demand(name, protects, Stand.PASSED if gate.passed else Stand.FAILED, gate.evidence, gate.person)


def _before(name: str, protects: str, failed: dict[str, str]) -> Demand:
    if name in failed:
        return Demand(name, protects, Stand.FAILED, failed[name])
    return Demand(name, protects, Stand.OPEN)
