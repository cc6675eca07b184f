"""Explains a refusal: what stood against a change, by which gate or test one sees it, and what to do next.

Rules
1. Every cause points at evidence that is there, a gate's or a test's where there is such, and none twice.
2. Every command that is named is one that may be given, and no step weakens what judges.
3. All of it is short, and nothing of it is said twice: the summary leaves to the causes what they say.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Frozen
from services.actions.action import OURS, Action, Ours, template

SUMMARY, SAYS, SHOWN = 600, 400, 3
Seen = Literal["gate", "test", "word"]
_COMMAND = re.compile(r"\baps ([a-z]+)(?: ([a-z]+)\b)?")
_WEAKENING = re.compile(
    r"""\b(?:skip|disable|remove|delete|loosen|weaken|ignore|suppress)(?:ing)?\s
    (?:(?:the|this|that|these|those|its|all)\s)?(?:(?:failing|red)\s)?
    (?:tests?|gates?|checks?|assertions?|findings?)\b|\bxfail\b|\#\s?noqa""",
    re.IGNORECASE | re.VERBOSE,
)


class Evidence(Frozen):
    """Something that stands against a change: a gate's verdict, a failing test, or what somebody said.

    `key` is how a cause points at it, such as `gate:size_within`.
    """

    kind: Seen
    name: str
    says: str

    @property
    def key(self) -> str:
        """What a cause names."""
        return f"{self.kind}:{self.name}"

    def told(self) -> str:
        """Return it as a paragraph."""
        return f"## {self.key}\n{self.says}\n"


class Refusal(Frozen):
    """A change that was refused, and how it ended. `commands` are what a person may do about it."""

    id: Ours
    status: Ours
    title: str
    reason: str
    evidence: tuple[Evidence, ...] = Field(min_length=1)
    commands: Annotated[tuple[str, ...], OURS] = ()


class RefusalCause(Frozen):
    """One cause, and the evidence that it is seen by."""

    evidence: str
    says: str = Field(min_length=1, max_length=SAYS)


class Explanation(Frozen):
    """Why a change was refused, and what can be done."""

    summary: str = Field(min_length=1, max_length=SUMMARY)
    causes: tuple[RefusalCause, ...] = Field(min_length=1, max_length=20)
    next_steps: tuple[Annotated[str, Field(min_length=1, max_length=SAYS)], ...] = Field(
        min_length=1, max_length=6
    )


def _problems(given: Refusal, made: Explanation) -> Iterator[str]:
    hard = {one.key for one in given.evidence if one.kind != "word"}
    known = {one.key for one in given.evidence}
    named = [cause.evidence for cause in made.causes]
    yield from (f"there is no evidence {key!r}" for key in dict.fromkeys(named) if key not in known)
    yield from (f"{key!r} is told twice" for key in dict.fromkeys(named) if named.count(key) > 1)
    if hard and not hard & set(named):
        yield f"no cause points at a gate or a test, and there are: {', '.join(sorted(hard)[:SHOWN])}"
    may = {command for line in given.commands for command in _COMMAND.findall(line)}
    for step in made.next_steps:
        yield from (
            f"there is no command 'aps {' '.join(one).strip()}' for this"
            for one in _COMMAND.findall(step)
            if one not in may
        )
        yield from (f"a step would weaken what judges: {weak[0]!r}" for weak in _WEAKENING.finditer(step))


def problems(given: Refusal, made: Explanation) -> list[str]:
    """Return what is wrong with an explanation."""
    return list(_problems(given, made))


def from_evidence(given: Refusal) -> Explanation:
    """Explain a refusal by what gates and tests said."""
    hard = [one for one in given.evidence if one.kind != "word"]
    shown = _each_once(hard or list(given.evidence))[:20]
    about = {"gate": "gate", "test": "failing test", "word": "reason"}
    counted = [
        f"{number} {about[kind]}{'s' if number > 1 else ''}"
        for kind in about
        if (number := sum(one.kind == kind for one in shown))
    ]
    summary = f"{given.title} is {given.status}: {' and '.join(counted)} against it. {_beyond(given, shown)}"
    return Explanation(
        summary=_cut(summary, SUMMARY),
        causes=tuple(RefusalCause(evidence=one.key, says=_cut(_said(one), SAYS)) for one in shown),
        next_steps=tuple(_steps(given, shown)),
    )


def _each_once(evidence: list[Evidence]) -> list[Evidence]:
    once = {one.key: one for one in evidence}
    return list({_said(one) if one.kind == "word" else one.key: one for one in once.values()}.values())


def _beyond(given: Refusal, shown: list[Evidence]) -> str:
    """Return of the reason what no cause says."""
    left = " ".join(given.reason.split())
    for one in shown:
        left = "" if left == _said(one) else left.replace(f"{one.name}: {_said(one)}", "")
    return "; ".join(part for part in (part.strip(" :") for part in left.split(";")) if part)


def _said(one: Evidence) -> str:
    return " ".join(one.says.split()) or f"{one.name} did not pass"


def _steps(given: Refusal, shown: list[Evidence]) -> Iterator[str]:
    tests = [one.name for one in shown if one.kind == "test"]
    gates = [one.name for one in shown if one.kind == "gate"]
    if tests:
        yield _cut(
            f"Look at what {_some(tests)} demands, and whether the change or the demand is right.", SAYS
        )
    if gates:
        yield _cut(f"Change what {_some(gates)} names; a gate is met, not gone around.", SAYS)
    yield from (_cut(line, SAYS) for line in given.commands[:SHOWN])
    if not (tests or gates or given.commands):
        yield "Remove what the reason names."


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _cut(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


EXPLAIN = Action(
    "explain_refusal", Refusal, Explanation, template("explain_refusal"), problems, from_evidence
)
