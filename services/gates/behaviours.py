"""The gate on what was asked for: each behaviour is shown by tests that fail without the change.

Rules
1. Every behaviour is named, with at least one test; a name that nothing was asked for under is refused.
2. Each named test ran with the change and passed, in all its cases.
3. Without the change, with the new tests in place, at least one of its cases did not pass: it failed,
   or could not even be collected. A run that did not finish proves nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from schemas.improvement import GateResult
from schemas.suite import Outcome, SuiteEnd, SuiteReport
from services.gates.evidence import counted, listed, verdict

BEHAVIOURS_SHOWN = "behaviours_shown"
VERSION = "1"

_TELLING = frozenset({SuiteEnd.FINISHED, SuiteEnd.COLLECTION_FAILED, SuiteEnd.NOTHING_COLLECTED})


@dataclass(frozen=True)
class Shown:
    """Whether a behaviour is shown, and by what: a sentence for a person."""

    passed: bool
    evidence: str


@dataclass(frozen=True)
class Showing:
    """What the named tests did: `before` on the source without the change, `after` with it.

    `proofs` names the tests of each behaviour. None is a run that there was not.
    """

    proofs: Mapping[str, Sequence[str]]
    before: SuiteReport | None
    after: SuiteReport | None

    def of(self, behaviour: str) -> Shown:
        """Say whether a behaviour is shown."""
        named = self.proofs.get(behaviour, ())
        if not named:
            return Shown(False, "no test is named for it")
        if self.before is None or self.after is None:
            return Shown(False, "the suite was not run, so nothing shows it")
        if self.before.end not in _TELLING:
            return Shown(False, f"without the change the suite ended {self.before.end.value}")
        offences = [said for test in named if (said := _offence(test, self.before, self.after))]
        if offences:
            return Shown(False, "; ".join(offences))
        return Shown(True, f"{listed(named)}: fails without the change, passes with it")


def behaviours_shown(asked: Collection[str], showing: Showing) -> GateResult:
    """Require that every behaviour asked for is shown, and no other is claimed."""
    offences = [f"{name}: {shown.evidence}" for name in asked if not (shown := showing.of(name)).passed]
    offences += [f"{name}: nobody asked for it" for name in showing.proofs if name not in asked]
    tests = {test for named in showing.proofs.values() for test in named}
    otherwise = f"{counted(len(asked), 'behaviour')} shown by {counted(len(tests), 'test')}"
    return verdict(BEHAVIOURS_SHOWN, VERSION, offences, otherwise)


def _offence(test: str, before: SuiteReport, after: SuiteReport) -> str:
    now = _cases(test, after)
    if not now:
        return f"{test} was not run: there is no such test"
    if wrong := sorted({outcome.value for outcome in now.values() if outcome is not Outcome.PASSED}):
        return f"{test} does not pass with the change: {', '.join(wrong)}"
    was = _cases(test, before)
    if all(was.get(case) is Outcome.PASSED for case in now):
        return f"{test} passes without the change too, so it shows nothing"
    return ""


def _cases(test: str, report: SuiteReport) -> dict[str, Outcome]:
    """The outcomes of a test: its own, or those of its parametrized cases."""
    return {id: ran for id, ran in report.tests.items() if id == test or id.startswith(f"{test}[")}
