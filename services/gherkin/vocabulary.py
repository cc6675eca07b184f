"""What PM says with the steps: the scenarios that an improvement has to pass, by a rule or by request."""

from collections.abc import Sequence

from services.gherkin.feature import Scenario, Stated, feature
from services.gherkin.steps import (
    ChangeApplied,
    FindingsAtMost,
    InterfaceUnchanged,
    NothingSuppressed,
    OnlyWhereFired,
    Proven,
    ShownByTests,
    Step,
    TargetAt,
    TestsNotWeakened,
    TestsStillPass,
)


def rule_improvement_feature(
    rule: str, title: str, why: str, base: str, expected_remaining: int, package_paths: Sequence[str]
) -> str:
    """Write the feature of an improvement that fixes a rule's findings on top of the commit `base`.

    `expected_remaining` counts the findings that may stay in all of `package_paths` together.
    """
    fixed = (FindingsAtMost(rule, expected_remaining, tuple(package_paths) or (".",)), NothingSuppressed())
    harmless = (TestsStillPass(), InterfaceUnchanged(), TestsNotWeakened(), OnlyWhereFired())
    scenarios = (
        Scenario("The findings are fixed", _scenario(base, fixed)),
        Scenario("Nothing else is harmed", _scenario(base, harmless)),
    )
    return feature(title, why, scenarios)


def request_feature(
    title: str, why: str, base: str, behaviours: Sequence[str], proven: type[Proven] = ShownByTests
) -> str:
    """Write the feature of what a person asked for: each behaviour a scenario, and that nothing is harmed.

    `proven` is the step that says how tests prove a behaviour.
    """
    asked = tuple(Scenario(one, _scenario(base, (proven(one),))) for one in behaviours)
    harmless = (TestsStillPass(), InterfaceUnchanged(), TestsNotWeakened())
    return feature(title, why, (*asked, Scenario("Nothing else is harmed", _scenario(base, harmless))))


def _scenario(base: str, promised: tuple[Step, ...]) -> tuple[Stated, ...]:
    """The steps of a scenario: the change on `base`, then what it promises."""
    first, *rest = promised
    return (
        Stated("Given", TargetAt(base)),
        Stated("When", ChangeApplied()),
        Stated("Then", first),
        *(Stated("And", step) for step in rest),
    )
