"""Gathers what the report tells beyond the outcome: gates, risk, and what refused parts would have broken."""

import re

from events.improvement import IMPROVEMENT, Improvement
from schemas.base import Frozen
from schemas.improvement import GateResult, LeftOut
from services.changes.recipes import MAKING, Written
from services.cycle.outcome import Outcome, kept_because
from services.runtime.log import Log

FAILURE = re.compile(r"^### (?P<test>[^\n]+)\n\n```text\n(?P<text>.*?)\n```$", re.MULTILINE | re.DOTALL)
OUTPUT = re.compile(r"^```text\n(?P<text>.*?)\n```$", re.MULTILINE | re.DOTALL)
SHOWN_LINES = 14
SHOWN_COLUMNS = 300


class Failure(Frozen):
    """A test that failed with the change, and the end of what it said; `test` is empty for a whole run."""

    test: str
    text: str


class Harm(Frozen):
    """One refusal: why, which parts had to go (`parts` empty: all of it), and the tests that failed."""

    reason: str
    parts: tuple[str, ...]
    failures: tuple[Failure, ...]


class Detail(Frozen):
    """What the log knows of one improvement. `kept` says why it could not be taken back, where asked."""

    why: str
    fixed: int
    risk: str
    risk_reasons: tuple[str, ...]
    gates: tuple[GateResult, ...]
    scenarios: int
    left_out: tuple[str, ...]
    harms: tuple[Harm, ...]
    tests: str
    kept: str


class Details(Frozen):
    """Details by improvement id. `python` is the oldest version the fixes are written for, such as 3.10."""

    improvements: dict[str, Detail]
    python: str = ""


async def details_of(book: Log, outcome: Outcome) -> Details:
    """Read the details of every improvement of the outcome."""
    states = {one.id: await book.state(IMPROVEMENT, one.id) for one in outcome.improvements}
    details = {id: await _detail(book, state) for id, state in states.items()}
    changes = [state.change for state in states.values() if state.change is not None]
    if not changes:
        return Details(improvements=details)
    recipe = MAKING.validate_json(await book.fetch(changes[0].recipe))
    if isinstance(recipe, Written):
        return Details(improvements=details)
    return Details(improvements=details, python=f"3.{recipe.target_version.removeprefix('py3')}")


async def _detail(book: Log, state: Improvement) -> Detail:
    design, verdict = state.design, state.verdict
    harms = [
        Harm(
            reason=refusal.reason,
            parts=tuple(part_of(part) for part in refusal.leave_out),
            failures=failures_in((await book.fetch(refusal.bug_report)).decode("utf-8", "replace")),
        )
        for refusal in state.refusals
    ]
    return Detail(
        why=state.discovered.why if state.discovered else "",
        fixed=verdict.fixed if verdict else 0,
        risk=design.risk.value if design else "",
        risk_reasons=design.reasons if design else (),
        gates=verdict.gates if verdict else (),
        scenarios=len(verdict.scenarios) if verdict else 0,
        left_out=tuple(part_of(part) for part in verdict.left_out) if verdict else (),
        harms=tuple(harms),
        tests=state.change.tests if state.change else "",
        kept=kept_because(state),
    )


def part_of(part: LeftOut) -> str:
    """Return a part of a change in a few words: its file, or the place in it."""
    if part.site is None:
        return part.path
    return f"{part.path}, {part.site.scope or 'module level'}: {part.site.text}"


def failures_in(bug_report: str) -> tuple[Failure, ...]:
    """Return the failing tests a bug report names, each with the last lines of its report."""
    named = [Failure(test=m["test"], text=_end(m["text"])) for m in FAILURE.finditer(bug_report)]
    if named:
        return tuple(named)
    return tuple(Failure(test="", text=_end(m["text"])) for m in OUTPUT.finditer(bug_report))


def _end(text: str) -> str:
    return "\n".join(line[:SHOWN_COLUMNS] for line in text.rstrip().splitlines()[-SHOWN_LINES:])
