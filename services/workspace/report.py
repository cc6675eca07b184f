"""Turns what a suite run left behind (report lines, coverage, how it ended) into a `SuiteReport`'s parts.

Rules:
1. A test's outcome is the worst reported for it: failed, error, xpassed, xfailed, passed, skipped.
2. A run counts as finished only when pytest said so last and the process ended as pytest said.
3. A collection error is a test of its own, named for what could not be collected, with outcome error.
"""

import json
from collections.abc import Iterable, Mapping
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
_FINISHED = (0, 1)
_NOTHING = 5


@dataclass(frozen=True)
class Told:
    """What the report file says: outcomes and texts by id, what did not import, pytest's last word."""

    started: bool
    tests: Mapping[str, Outcome]
    failures: Mapping[str, str]
    broken: frozenset[str]
    status: int | None


def told(content: bytes) -> Told:
    """Read the report lines; a line cut short by a death is passed over."""
    tests: dict[str, Outcome] = {}
    failures: dict[str, str] = {}
    broken: set[str] = set()
    started, status = False, None
    for line in _lines(content):
        kind, name, text = line.get("kind"), str(line.get("id", "")), str(line.get("text", ""))
        if kind == "start":
            started = True
        elif kind == "end":
            status = found if isinstance(found := line.get("status"), int) else -1
        elif kind in ("test", "broken") and line.get("outcome", Outcome.ERROR) in _RANK:
            outcome = Outcome(str(line.get("outcome", Outcome.ERROR)))
            tests[name] = min(tests.get(name, outcome), outcome, key=_RANK.__getitem__)
            failures |= {name: text} if text else {}
            broken |= {name} if kind == "broken" else set()
    return Told(
        started, dict(sorted(tests.items())), dict(sorted(failures.items())), frozenset(broken), status
    )


def ending(ended: Ended, exit_code: int, said: Told) -> SuiteEnd:
    """Decide how a run ended."""
    if ended is Ended.TIMED_OUT:
        return SuiteEnd.TIMED_OUT
    if ended is Ended.OUT_OF_MEMORY:
        return SuiteEnd.OUT_OF_MEMORY
    ran = set(said.tests) - said.broken
    if said.status is None:
        return SuiteEnd.CRASHED if said.started or exit_code < 0 else SuiteEnd.COLLECTION_FAILED
    if said.status != exit_code:
        return SuiteEnd.CRASHED
    if said.broken and not ran:
        return SuiteEnd.COLLECTION_FAILED
    if not ran and exit_code in (*_FINISHED, _NOTHING):
        return SuiteEnd.NOTHING_COLLECTED
    return SuiteEnd.FINISHED if exit_code in _FINISHED else SuiteEnd.CRASHED


def covered_lines(content: bytes) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Return executed and missing line numbers by path from coverage's JSON report."""
    try:
        files = json.loads(content)["files"]
        executed = {path: tuple(map(int, entry["executed_lines"])) for path, entry in files.items()}
        missing = {path: tuple(map(int, entry["missing_lines"])) for path, entry in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, {}
    return dict(sorted(executed.items())), dict(sorted(missing.items()))


def _lines(content: bytes) -> Iterable[dict[str, object]]:
    for line in content.splitlines():
        try:
            parsed = json.loads(line)
        except ValueError:
            continue
        if isinstance(parsed, dict):
            yield parsed
