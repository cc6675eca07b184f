"""The gate on what was asked for: each behaviour is shown by tests, in the way its kind of request allows.

Rules
1. Every behaviour is named, with at least one test; a name that nothing was asked for under is refused.
2. Each named test ran with the change and passed, in all its cases.
3. Without the change, with the new tests in place, at least one of its cases did not pass: it failed,
   or could not even be collected. A run that did not finish proves nothing.
4. Where only tests were asked for, one may pass without the change too, if it comes new. It has to run lines
   that no test ran before; of one that runs none nothing shows that it guards anything, so a person decides.
5. Where what holds has to be kept while something else is bettered, the tests pass before and after. Nothing
   measured shows the improvement itself, so a person decides.
6. Where the suite proved nothing before the change, its own tests are held to all of this, and a person
   decides besides; also where no test could be run at all.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.improvement import GateResult
from schemas.suite import Outcome, SuiteEnd, SuiteReport
from services.gates.evidence import counted, listed, verdict

BEHAVIOURS_SHOWN = "behaviours_shown"
VERSION = "2"
GUARDS_NOTHING = "passes with and without the change: nothing shows that it guards anything"
NOT_MEASURED = "passes with and without the change: nothing measured shows the improvement itself"
DECIDES = "a person decides"

_TELLING = frozenset({SuiteEnd.FINISHED, SuiteEnd.COLLECTION_FAILED, SuiteEnd.NOTHING_COLLECTED})


class Promise(StrEnum):
    """What the tests of a behaviour promise: that it is new, guarded from now on, or kept as it was."""

    NEW = "new"
    GUARDED = "guarded"
    KEPT = "kept"


@dataclass(frozen=True)
class Shown:
    """Whether a behaviour is shown, and by what: a sentence for a person.

    `person` says why a person decides although it passed; empty where none needs to.
    """

    passed: bool
    evidence: str
    person: str = ""


@dataclass(frozen=True)
class Showing:
    """What the named tests did: `before` on the source without the change, `after` with it.

    `proofs` names the tests of each behaviour. None is a run that there was not. `there` are the ids of the
    suite before the change; `reach` counts by test the lines it runs that no test ran before.
    `unproven` says why the suite proved nothing before the change; empty where it did.
    """

    proofs: Mapping[str, Sequence[str]]
    before: SuiteReport | None
    after: SuiteReport | None
    there: Collection[str] = ()
    reach: Mapping[str, int] = field(default_factory=dict)
    unproven: str = ""

    def of(self, behaviour: str, promise: Promise = Promise.NEW) -> Shown:
        """Say whether a behaviour is shown as it was promised."""
        named = self.proofs.get(behaviour, ())
        if not named:
            return Shown(False, "no test is named for it")
        if self.before is None or self.after is None:
            return self._unseen()
        if self.before.end not in _TELLING:
            return Shown(False, f"without the change the suite ended {self.before.end.value}")
        tests = [self._by(test, promise, self.before, self.after) for test in named]
        if offences := [one.evidence for one in tests if not one.passed]:
            return Shown(False, "; ".join(offences))
        if said := [one.evidence for one in tests if one.evidence]:
            person = "; ".join(one.person for one in tests if one.person)
            return Shown(True, "; ".join(said), person)
        return Shown(True, f"{listed(named)}: fails without the change, passes with it")

    def _unseen(self) -> Shown:
        if self.unproven:
            return Shown(True, "no test could be run, so nothing shows it", "no test could be run")
        return Shown(False, "the suite was not run, so nothing shows it")

    def _by(self, test: str, promise: Promise, before: SuiteReport, after: SuiteReport) -> Shown:
        """Judge one test; without evidence where it fails without the change, as most do."""
        now = cases(test, after)
        if not now:
            return Shown(False, f"{test} was not run: there is no such test")
        if wrong := sorted({outcome.value for outcome in now.values() if outcome is not Outcome.PASSED}):
            return Shown(False, f"{test} does not pass with the change: {', '.join(wrong)}")
        was = cases(test, before)
        if not all(was.get(case) is Outcome.PASSED for case in now):
            return _failing_before(test, promise)
        match promise:
            case Promise.NEW:
                return Shown(False, f"{test} passes without the change too, so it shows nothing")
            case Promise.GUARDED:
                return self._guarding(test)
            case Promise.KEPT:
                return _for_a_person(f"{test} {NOT_MEASURED}")

    def _guarding(self, test: str) -> Shown:
        if any(_is_case(id, test) for id in self.there):
            return Shown(False, f"{test} was there before the change, so it adds nothing")
        if lines := self.reach.get(test, 0):
            return Shown(True, f"{test} runs {counted(lines, 'line')} that no test ran before")
        return _for_a_person(f"{test} {GUARDS_NOTHING}")


def behaviours_shown(asked: Mapping[str, Promise], showing: Showing) -> GateResult:
    """Require that every behaviour asked for is shown as it was promised, and no other is claimed."""
    seen = {name: showing.of(name, promise) for name, promise in asked.items()}
    offences = [f"{name}: {shown.evidence}" for name, shown in seen.items() if not shown.passed]
    offences += [f"{name}: nobody asked for it" for name in showing.proofs if name not in asked]
    tests = {test for named in showing.proofs.values() for test in named}
    told = [one.evidence for name, one in seen.items() if one.person or asked[name] is not Promise.NEW]
    whole = f"{counted(len(asked), 'behaviour')} shown by {counted(len(tests), 'test')}"
    unproven = [f"no suite proved anything before the change: {showing.unproven}"] if showing.unproven else []
    left = dict.fromkeys(shown.person for shown in seen.values() if shown.person)
    person = "; ".join([*unproven, *left])
    otherwise = [*([] if left else [whole]), *dict.fromkeys(told), *unproven, *([DECIDES] if person else [])]
    gate = verdict(BEHAVIOURS_SHOWN, VERSION, offences, "; ".join(otherwise))
    return gate.model_copy(update={"person": person}) if gate.passed else gate


def _failing_before(test: str, promise: Promise) -> Shown:
    if promise is Promise.KEPT:
        return Shown(False, f"{test} does not pass without the change, so it shows nothing that was kept")
    return Shown(True, "")


def _for_a_person(why: str) -> Shown:
    return Shown(True, why, why)


def cases(test: str, report: SuiteReport) -> dict[str, Outcome]:
    """The outcomes of a test: its own, or those of its parametrized cases."""
    return {id: ran for id, ran in report.tests.items() if _is_case(id, test)}


def _is_case(id: str, test: str) -> bool:
    return id == test or id.startswith(f"{test}[")
