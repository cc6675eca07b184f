"""Turns what a suite run left behind (report lines, coverage, how it ended) into a `SuiteReport`'s parts.

Rules:
1. A test's outcome is the worst reported for it: failed, error, xpassed, xfailed, passed, skipped.
2. A run counts as finished only when every collected test was reported, pytest said so last, and the
   process ended as pytest said.
3. A collection error is a test of its own, named for what could not be collected, with outcome error.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.suite import Outcome, SuiteEnd
from services.sandbox.port import Ended

_WORST_FIRST = (
    Outcome.FAILED,
    Outcome.ERROR,
    Outcome.XPASSED,
    Outcome.XFAILED,
    Outcome.PASSED,
    Outcome.SKIPPED,
)
_RANK = {outcome: place for place, outcome in enumerate(_WORST_FIRST)}
_BY_NAME = {str(outcome): outcome for outcome in Outcome}
_FINISHED = (0, 1)
_NOTHING = 5


@dataclass(frozen=True)
class Told:
    """What the report file says: outcomes and texts by id, what did not import, pytest's last word.

    `collected` is how many tests were about to run, None when the run never came that far.
    """

    started: bool
    collected: int | None
    tests: Mapping[str, Outcome]
    failures: Mapping[str, str]
    broken: frozenset[str]
    status: int | None


def told(content: bytes) -> Told:
    """Read the report lines; a line cut short by a death, or of no known kind, is passed over."""
    lines = tuple(_lines(content))
    kinds = {str(line.get("kind")) for line in lines}
    tests: dict[str, Outcome] = {}
    failures: dict[str, str] = {}
    for line in (line for line in lines if line.get("kind") in ("test", "broken")):
        name, text = str(line.get("id", "")), str(line.get("text", ""))
        outcome = _BY_NAME.get(str(line.get("outcome", Outcome.ERROR)))
        if outcome is not None:
            tests[name] = min(tests.get(name, outcome), outcome, key=_RANK.__getitem__)
            failures |= {name: text} if text else {}
    return Told(
        started="start" in kinds,
        collected=_last(lines, "collected", "count"),
        tests=dict(sorted(tests.items())),
        failures=dict(sorted(failures.items())),
        broken=frozenset(str(line.get("id", "")) for line in lines if line.get("kind") == "broken"),
        status=_last(lines, "end", "status"),
    )


def ending(ended: Ended, exit_code: int, said: Told) -> SuiteEnd:
    """Decide how a run ended."""
    if ended is Ended.TIMED_OUT:
        return SuiteEnd.TIMED_OUT
    if ended is Ended.OUT_OF_MEMORY:
        return SuiteEnd.OUT_OF_MEMORY
    ran = set(said.tests) - said.broken
    if said.status is None:
        return _unsaid(exit_code, said)
    if said.status != exit_code or len(ran) < (said.collected or 0):
        return SuiteEnd.CRASHED
    if said.broken and not ran:
        return SuiteEnd.COLLECTION_FAILED
    if not ran and exit_code in (*_FINISHED, _NOTHING):
        return SuiteEnd.NOTHING_COLLECTED
    return SuiteEnd.FINISHED if exit_code in _FINISHED else SuiteEnd.CRASHED


def _unsaid(exit_code: int, said: Told) -> SuiteEnd:
    """A run without pytest's last word. One that says all is well has ended by itself (`os._exit(0)`)."""
    if said.started or exit_code <= 0:
        return SuiteEnd.CRASHED
    return SuiteEnd.COLLECTION_FAILED


def covered_lines(content: bytes) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Return executed and missing line numbers by path from coverage's JSON report."""
    try:
        files = json.loads(content)["files"]
        executed = {path: tuple(map(int, entry["executed_lines"])) for path, entry in files.items()}
        missing = {path: tuple(map(int, entry["missing_lines"])) for path, entry in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, {}
    return dict(sorted(executed.items())), dict(sorted(missing.items()))


def _last(lines: Sequence[Mapping[str, object]], kind: str, key: str) -> int | None:
    values = [line.get(key) for line in lines if line.get("kind") == kind]
    return next((value for value in reversed(values) if isinstance(value, int)), None)


def _lines(content: bytes) -> Iterable[dict[str, object]]:
    for line in content.splitlines():
        try:
            parsed = json.loads(line)
        except ValueError:
            continue
        if isinstance(parsed, dict):
            yield parsed
