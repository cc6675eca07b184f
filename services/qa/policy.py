"""What QA does whenever something happened.

Whenever a scan is done, the suite is run before any change (the baseline). Whenever the last open
improvement of a scan was implemented, all of them are tried together as a batch. Whenever a refused
change came back smaller, the batch is closed once all of them have.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from events.fact import Fact
from events.improvement import Improvement
from events.improvement_facts import Abandoned, ChangeImplemented
from events.target import BaselineRecorded, Scanned
from schemas.improvement import Status
from schemas.suite import Outcome, SuiteEnd, SuiteReport

NOT_YET = (Status.INITIALIZED, Status.REQUIREMENTS_COMPLETE, Status.ARCHITECTURE_COMPLETE)


@dataclass(frozen=True)
class RecordBaseline:
    """Run the suite of a target before any change."""

    target: str
    scan: str


@dataclass(frozen=True)
class TryTogether:
    """Look whether a scan's changes are ready to be tried."""

    improvement: str


def whenever(id: str, fact: Fact) -> RecordBaseline | TryTogether | None:
    """Return the work that `fact`, recorded on the aggregate `id`, asks for."""
    match fact:
        case Scanned(scan=scan):
            return RecordBaseline(id, scan)
        case ChangeImplemented() | Abandoned():
            return TryTogether(id)
        case BaselineRecorded():
            return None
        case _:
            return None


def ready(states: Mapping[str, Improvement]) -> tuple[str, ...]:
    """Return the implemented improvements in stacking order, or nothing while one is still being made.

    Above all stands the rank; what waits for a person by its risk is stacked last, so that the rest
    can land without it.
    """
    if any(state.status in NOT_YET for state in states.values()):
        return ()
    waiting = [id for id, s in states.items() if s.status is Status.IMPLEMENTATION_COMPLETE]
    return tuple(sorted(waiting, key=lambda name: (_waits(states[name]), states[name].rank, name)))


def _waits(state: Improvement) -> bool:
    return state.design is not None and state.design.risk.level > 1


def unusable(report: SuiteReport) -> str:
    """Return why a baseline proves nothing; empty when it is usable."""
    match report.end:
        case SuiteEnd.NOTHING_COLLECTED:
            return "the project has no test that pytest finds"
        case SuiteEnd.TIMED_OUT:
            return "the suite did not end within the time limit"
        case SuiteEnd.OUT_OF_MEMORY:
            return "the suite needs more memory than the limit allows"
        case SuiteEnd.CRASHED:
            return "the suite ended without finishing its report"
        case SuiteEnd.FINISHED | SuiteEnd.COLLECTION_FAILED:
            return "" if report.passed else "no test passes before any change"


def flaky(first: SuiteReport, second: SuiteReport) -> tuple[str, ...]:
    """Return the tests whose outcome differs between two runs of the same tree, sorted."""
    everything = set(first.tests) | set(second.tests)
    return tuple(sorted(t for t in everything if first.tests.get(t) is not second.tests.get(t)))


def settled_report(first: SuiteReport, second: SuiteReport) -> SuiteReport:
    """Return the second run's coverage with, for every test, the worse of both outcomes."""
    order = list(Outcome)
    worse = {
        test: max((r.tests[test] for r in (first, second) if test in r.tests), key=_badness(order))
        for test in sorted(set(first.tests) | set(second.tests))
    }
    return second.model_copy(update={"tests": worse, "failures": {**second.failures, **first.failures}})


def _badness(order: list[Outcome]):  # type: ignore[no-untyped-def]  # a key function
    bad = (Outcome.FAILED, Outcome.ERROR)
    return lambda outcome: (outcome in bad, order.index(outcome))
