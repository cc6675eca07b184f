"""Gates on suite runs: the suite is no worse than the baseline, with the edited and the original tests.

Rules
1. Every test of the baseline is still there; what passed still passes, and was not marked to fail.
2. Nothing is newly skipped, not even a test that failed before; a failing one may stay failing.
3. New tests may come, when they do not fail.
4. A flaky test is excused whatever it shows, and counted. A run that did not finish proves nothing.
"""

from collections.abc import Collection, Sequence

from schemas.improvement import GateResult, ScenarioResult
from schemas.suite import Outcome, SuiteEnd, SuiteReport
from services.gates.evidence import counted, listed, verdict

SUITE_NO_WORSE = "suite_no_worse"
ORIGINAL_TESTS_PASS = "original_tests_pass"  # noqa: S105 -- a gate's name, not a password
SCENARIOS_PASS = "scenarios_pass"  # noqa: S105 -- a gate's name, not a password
VERSION = "1"

_BAD = frozenset({Outcome.FAILED, Outcome.ERROR})
_ALLOWED: dict[Outcome, frozenset[Outcome]] = {
    Outcome.PASSED: frozenset({Outcome.PASSED}),
    Outcome.XFAILED: frozenset({Outcome.XFAILED, Outcome.XPASSED, Outcome.PASSED}),
    Outcome.XPASSED: frozenset({Outcome.XFAILED, Outcome.XPASSED, Outcome.PASSED}),
    Outcome.SKIPPED: frozenset(Outcome) - _BAD,
    Outcome.FAILED: _BAD | {Outcome.PASSED},
    Outcome.ERROR: _BAD | {Outcome.PASSED},
}
_COMPARABLE = frozenset({SuiteEnd.NOTHING_COLLECTED, SuiteEnd.COLLECTION_FAILED})


def suite_no_worse(baseline: SuiteReport, flaky: Collection[str], after: SuiteReport) -> GateResult:
    """Hold a suite run against the baseline. A baseline without tests is no obstacle and no proof."""
    otherwise = f"{counted(after.passed, 'test')} passed, {baseline.passed} before"
    excused = sum(test in flaky for test in worse_tests(baseline, (), after))
    if excused:
        otherwise += f"; {counted(excused, 'flaky test')} excused"
    still = sum(outcome in _BAD for test, outcome in after.tests.items() if test not in flaky)
    if still:
        otherwise += f"; {still} failed before and still fail"
    if not baseline.tests:
        otherwise = "no worse, but no proof: the suite ran no test before the change"
    return verdict(SUITE_NO_WORSE, VERSION, _offences(baseline, flaky, after), otherwise)


def worse_tests(
    baseline: SuiteReport, flaky: Collection[str], after: SuiteReport
) -> dict[str, tuple[Outcome | None, Outcome | None]]:
    """Name the tests that got worse, each with its outcome before and after (None: not there)."""
    worse: dict[str, tuple[Outcome | None, Outcome | None]] = {}
    for test in sorted({*baseline.tests, *after.tests} - set(flaky)):
        was, now = baseline.tests.get(test), after.tests.get(test)
        fine = now not in _BAD if was is None else now in _ALLOWED[was]
        if not fine:
            worse[test] = (was, now)
    return worse


def _offences(baseline: SuiteReport, flaky: Collection[str], after: SuiteReport) -> list[str]:
    """Say what got worse, gravest first."""
    offences = []
    if after.end is not SuiteEnd.FINISHED and not (after.end is baseline.end and after.end in _COMPARABLE):
        offences.append(f"the run did not finish: {after.end.value.replace('_', ' ')}")
    worse = worse_tests(baseline, flaky, after)
    kinds: dict[str, list[str]] = {}
    for test, (was, now) in worse.items():
        kinds.setdefault(_kind(was, now), []).append(test)
    offences += [f"{counted(len(tests), 'test')} {kind}: {listed(tests)}" for kind, tests in kinds.items()]
    silent = baseline.exit_code == 0 != after.exit_code and not _BAD & set(after.tests.values())
    if silent and not offences:
        offences.append(f"the run ended with exit code {after.exit_code} though no test failed")
    return offences


def _kind(was: Outcome | None, now: Outcome | None) -> str:
    if now is None:
        return "vanished"
    if now is Outcome.SKIPPED:
        return "newly skipped"
    if now in _BAD:
        return "new and failing" if was is None else "newly failing"
    return "newly expected to fail"


def original_tests_pass(
    edited: Sequence[str], baseline: SuiteReport, flaky: Collection[str], report: SuiteReport | None
) -> GateResult:
    """Require, when test files were `edited`, that the original ones are no worse on the new source.

    `report` is the run of the original test files, None when there was none.
    """
    if not edited:
        return verdict(ORIGINAL_TESTS_PASS, VERSION, [], "no test file was edited")
    files = f"{counted(len(edited), 'test file')} edited ({listed(edited)})"
    if report is None:
        return verdict(ORIGINAL_TESTS_PASS, VERSION, [f"{files}, but the original tests were not run"], "")
    offences = _offences(baseline, flaky, report)
    otherwise = f"{files}; with the originals {counted(report.passed, 'test')} passed"
    return verdict(ORIGINAL_TESTS_PASS, VERSION, offences, otherwise)


def scenarios_pass(scenarios: Sequence[ScenarioResult]) -> GateResult:
    """Require that there are scenarios and that every step of each passed."""
    offences = [
        f'scenario "{scenario.name}": {step.text}: {step.evidence}'
        for scenario in scenarios
        for step in scenario.steps
        if not step.passed
    ]
    if not scenarios:
        offences = ["no scenario was executed"]
    steps = sum(len(scenario.steps) for scenario in scenarios)
    otherwise = f"{counted(len(scenarios), 'scenario')} with {counted(steps, 'step')} passed"
    return verdict(SCENARIOS_PASS, VERSION, offences, otherwise)
