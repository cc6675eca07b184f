"""Runs the tests that a written change brings on the source as it was before it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from events.envelope import Cause
from schemas.suite import SuiteReport
from services.changes.message import AUTHOR
from services.changes.recipes import Written
from services.changes.stacking import Stacked
from services.gates.behaviours import Promise, Showing
from services.gates.evaluator_files import is_test_code
from services.gherkin.feature import Feature
from services.gherkin.steps import GuardedByTests, KeptByTests, Proven, ShownByTests
from services.qa.material import Material
from services.qa.reaching import reach
from services.workspace.git.mixing import mixed_tree

MESSAGE = "The new tests on the source before the change"
WHEN = datetime(2000, 1, 1, tzinfo=UTC)  # the same tests on the same source are the same commit
PROMISES: dict[type[Proven], Promise] = {
    ShownByTests: Promise.NEW,
    GuardedByTests: Promise.GUARDED,
    KeptByTests: Promise.KEPT,
}


def promised(feature: Feature) -> dict[str, Promise]:
    """Return what the tests of each behaviour promise that a feature asks for."""
    steps = [stated.step for scenario in feature.scenarios for stated in scenario.steps]
    return {step.behaviour: PROMISES[type(step)] for step in steps if isinstance(step, Proven)}


async def showing(
    material: Material,
    one: Stacked,
    written: Written,
    asked: Mapping[str, Promise],
    after: SuiteReport | None,
    token: int,
    cause: Cause,
) -> Showing:
    """Return what the named tests did without the change and do with it; `asked` is what they promise."""
    if not material.baseline.usable:
        return Showing(written.proofs, None, None)
    repository = material.repository
    tests = [path for path in one.applied.changed_paths if is_test_code(path)]
    made = await mixed_tree(repository, one.parent, one.commit, tests)
    commit = await repository.commit_tree(made, (one.parent,), MESSAGE, AUTHOR, WHEN)
    await material.tested(commit, made, 0, token, cause)
    guarding = {
        test
        for name, promise in asked.items()
        if promise is Promise.GUARDED
        for test in written.proofs.get(name, ())
    }
    return Showing(
        written.proofs,
        await material.report(made),
        after,
        there=frozenset(material.before.tests),
        reach=await reach(material, one, sorted(guarding), after),
    )
