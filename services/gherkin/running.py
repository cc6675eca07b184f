"""Executes a feature: asks the evidence for each step, in order, and stops a scenario where a step fails."""

from dataclasses import dataclass
from typing import Protocol, assert_never

from schemas.improvement import ScenarioResult, StepResult
from services.gherkin.feature import Feature, Scenario
from services.gherkin.steps import (
    ChangeApplied,
    FindingsAtMost,
    GuardedByTests,
    InterfaceUnchanged,
    KeptByTests,
    NothingSuppressed,
    OnlyWhereFired,
    ShownByTests,
    Step,
    TargetAt,
    TestsNotWeakened,
    TestsStillPass,
)


@dataclass(frozen=True)
class Observation:
    """Whether a step holds, and what was seen: a sentence for a person."""

    passed: bool
    evidence: str


class Evidence(Protocol):
    """What QA measured of one change; a method for each step of the vocabulary."""

    def target_at(self, commit: str) -> Observation:
        """Say whether the change was made for the target at `commit`."""
        ...

    def change_applied(self) -> Observation:
        """Say whether the change is in the stack that was tested."""
        ...

    def findings_at_most(self, rule: str, most: int, paths: tuple[str, ...]) -> Observation:
        """Count the rule's findings in all of `paths` together, after the change."""
        ...

    def nothing_suppressed(self) -> Observation:
        """Say whether every finding that is gone was fixed, not hidden."""
        ...

    def tests_still_pass(self) -> Observation:
        """Hold the suite against the baseline."""
        ...

    def interface_unchanged(self) -> Observation:
        """Compare what others may import."""
        ...

    def tests_not_weakened(self) -> Observation:
        """Compare what judges the change."""
        ...

    def only_where_fired(self) -> Observation:
        """Compare the files touched with the files where the rule fired."""
        ...

    def shown_by_tests(self, behaviour: str) -> Observation:
        """Hold the tests named for a behaviour against what they did without the change and with it."""
        ...

    def guarded_by_tests(self, behaviour: str) -> Observation:
        """Hold the tests named for a behaviour against the suite before: they are new and reach further."""
        ...

    def kept_by_tests(self, behaviour: str) -> Observation:
        """Hold the tests named for a behaviour against what they did: they pass before and after."""
        ...


def execute(feature: Feature, evidence: Evidence) -> tuple[ScenarioResult, ...]:
    """Execute every scenario. What the evidence raises is raised: an unanswered step is no failed one."""
    return tuple(_executed(scenario, evidence) for scenario in feature.scenarios)


def _executed(scenario: Scenario, evidence: Evidence) -> ScenarioResult:
    results: list[StepResult] = []
    failed = ""
    for stated in scenario.steps:
        seen = Observation(False, f"not run: {failed} failed") if failed else _observed(stated.step, evidence)
        if not seen.passed and not failed:
            failed = f'"{stated.step.text}"'
        results.append(
            StepResult(
                keyword=stated.keyword, text=stated.step.text, passed=seen.passed, evidence=seen.evidence
            )
        )
    return ScenarioResult(name=scenario.name, steps=tuple(results))


def _observed(step: Step, evidence: Evidence) -> Observation:  # noqa: C901 -- a table: one line for each step
    """Ask the evidence what the step says."""
    match step:
        case TargetAt(commit=commit):
            return evidence.target_at(commit)
        case ChangeApplied():
            return evidence.change_applied()
        case FindingsAtMost(rule=rule, most=most, paths=paths):
            return evidence.findings_at_most(rule, most, paths)
        case NothingSuppressed():
            return evidence.nothing_suppressed()
        case TestsStillPass():
            return evidence.tests_still_pass()
        case InterfaceUnchanged():
            return evidence.interface_unchanged()
        case TestsNotWeakened():
            return evidence.tests_not_weakened()
        case OnlyWhereFired():
            return evidence.only_where_fired()
        case ShownByTests(behaviour=behaviour):
            return evidence.shown_by_tests(behaviour)
        case GuardedByTests(behaviour=behaviour):
            return evidence.guarded_by_tests(behaviour)
        case KeptByTests(behaviour=behaviour):
            return evidence.kept_by_tests(behaviour)
        case _:
            assert_never(step)
