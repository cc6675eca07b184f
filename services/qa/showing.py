"""Runs the tests that a written change brings on the source as it was before it."""

from datetime import UTC, datetime

from events.envelope import Cause
from schemas.suite import SuiteReport
from services.changes.message import AUTHOR
from services.changes.recipes import Written
from services.changes.stacking import Stacked
from services.gates.behaviours import Showing
from services.gates.evaluator_files import is_test_code
from services.qa.material import Material
from services.workspace.git.mixing import mixed_tree

MESSAGE = "The new tests on the source before the change"
WHEN = datetime(2000, 1, 1, tzinfo=UTC)  # the same tests on the same source are the same commit


async def showing(
    material: Material,
    one: Stacked,
    written: Written,
    after: SuiteReport | None,
    token: int,
    cause: Cause,
) -> Showing:
    """Return what the named tests did without the change and do with it."""
    if not material.baseline.usable:
        return Showing(written.proofs, None, None)
    repository = material.repository
    tests = [path for path in one.applied.changed_paths if is_test_code(path)]
    made = await mixed_tree(repository, one.parent, one.commit, tests)
    commit = await repository.commit_tree(made, (one.parent,), MESSAGE, AUTHOR, WHEN)
    await material.tested(commit, made, 0, token, cause)
    return Showing(written.proofs, await material.report(made), after)
