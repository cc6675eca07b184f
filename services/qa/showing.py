"""Runs the tests that a written change brings on the source as it was before it."""

from collections.abc import Mapping, Sequence
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
from services.qa.baseline import NOTHING_RAN
from services.qa.material import Material
from services.qa.reaching import reach
from services.workspace.environments.environment import EnvironmentProblem
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
    """Return what the named tests did without the change and do with it; `asked` is what they promise.

    Where the suite proved nothing before the change, they are run by themselves.
    """
    repository = material.repository
    tests = [path for path in one.applied.changed_paths if is_test_code(path)]
    made = await mixed_tree(repository, one.parent, one.commit, tests)
    commit = await repository.commit_tree(made, (one.parent,), MESSAGE, AUTHOR, WHEN)
    if not material.baseline.usable:
        return await _unproven(material, written, commit, one.commit)
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


async def _unproven(material: Material, written: Written, before: str, after: str) -> Showing:
    """Run nothing but the named tests: the suite around them proves nothing, or there is none."""
    reason = material.baseline.reason
    named = {test.split("::")[0] for tests in written.proofs.values() for test in tests}
    files = sorted(named & (await material.repository.entries(after)).keys())
    if not files:
        return Showing(written.proofs, NOTHING_RAN, NOTHING_RAN, unproven=reason)  # names no test there is
    try:
        without, done = [await _alone(material, commit, files) for commit in (before, after)]
    except EnvironmentProblem as problem:
        return Showing(written.proofs, None, None, unproven=f"no environment could be built: {problem}")
    return Showing(written.proofs, without, done, unproven=reason)


async def _alone(material: Material, commit: str, files: Sequence[str]) -> SuiteReport:
    worktree = f"{material.id}-showing"
    run = material.bench.prover.run
    return await run(material.repository, worktree, material.formed.base, commit, only=files)
