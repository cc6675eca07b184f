"""Makes a commit of what an agent from outside delivered, so that QA proves it as any other change.

Rules
1. Only what stands in the patch counts, applied by git to the base without a work tree; nothing of it is run
   here, and no word of the agent is believed.
2. What cannot be made a commit is refused with the reason, and the work is open again.
"""

from dataclasses import dataclass

from events.envelope import Cause
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import ChangeDelivered, ChangeImplemented, DeliveryRefused, Discovered
from events.run import RUN, Completed, Requested, Started
from schemas.aps_vocabulary import Phase
from services.asking.stops import change_digest
from services.changes.keeping import keep_patch, refused_patch
from services.changes.message import AUTHOR, commit_message
from services.changes.patching import patched_tree
from services.changes.recipes import Written
from services.developer.unheard import abandoned_runs, run_id
from services.runtime.log import Change
from services.runtime.workbench import Workbench
from services.workspace.git.command import GitError

OUTSIDE = "outside"
LONGEST = 500


class Unusable(Exception):  # noqa: N818 -- what is wrong with it
    """No commit can be made of what was delivered."""


@dataclass(frozen=True)
class _Commit:
    id: str
    tree: str
    files: tuple[str, ...]
    patch: bytes


async def take_over(bench: Workbench, id: str, cause: Cause) -> bool:
    """Hand over what was delivered as a change; return whether it was one. Raises `Later`."""
    book = bench.book
    async with bench.claim(IMPROVEMENT, id, "implementation", cause) as held:
        state = await book.state(IMPROVEMENT, id)
        delivered, found = state.delivered, state.discovered
        if delivered is None:
            return True
        assert found is not None  # noqa: S101 -- designed, so discovered
        try:
            made = await _commit(bench, id, state, delivered, found)
        except Unusable as wrong:
            refused = DeliveryRefused(agent=delivered.agent, reason=str(wrong)[:LONGEST])
            await book.record(IMPROVEMENT, id, refused, cause=cause)
            return False
        run = run_id(id, held.token)
        requested = Requested(
            improvement=id, role="developer", engine=OUTSIDE, model=delivered.agent, task="write the change"
        )
        ran = Change(RUN, run, (requested, Started(), Completed(duration_ms=0)))
        fact = await _implemented(bench, id, state, delivered, made, (held.token, run))
        change = await bench.handoff(id, fact, Phase.IMPLEMENTATION, cause)
        await book.record_all([*await abandoned_runs(book, id, held.token), ran, change], cause)
        return True


async def _commit(
    bench: Workbench, id: str, state: Improvement, delivered: ChangeDelivered, found: Discovered
) -> _Commit:
    assert state.discovered_at is not None  # noqa: S101 -- set together with what was discovered
    repository = await bench.clone(found.target, found.base)
    given = await bench.book.fetch(delivered.patch)
    try:
        tree = await patched_tree(repository, found.base, given)
    except GitError as problem:
        raise Unusable(f"the patch does not apply to {found.base[:12]}: {problem.stderr}") from problem
    message = commit_message(id, found, 0)
    commit = await repository.commit_tree(tree, (found.base,), message, AUTHOR, state.discovered_at)
    files = await repository.changed_paths(found.base, commit)
    if not files:
        raise Unusable("the patch changes nothing")
    patch = await repository.patch(found.base, commit)
    refused = await refused_patch(bench.book, state)
    if refused and change_digest(patch) == change_digest(refused):
        raise Unusable("it is the very change that was refused")
    return _Commit(commit, tree, files, patch)


async def _implemented(
    bench: Workbench,
    id: str,
    state: Improvement,
    delivered: ChangeDelivered,
    made: _Commit,
    held: tuple[int, str],
) -> ChangeImplemented:
    found = state.discovered
    assert found is not None  # noqa: S101 -- designed, so discovered
    patch = await keep_patch(bench.book, id, f"{id}.patch", made.patch)
    written = Written(
        base=found.base,
        patch=patch,
        files=made.files,
        summary=delivered.summary,
        proofs=delivered.proofs,
    )
    recipe = await bench.book.keep(written.model_dump_json(), f"{id}.recipe.json", "application/json")
    tests = sorted({test for named in delivered.proofs.values() for test in named})
    token, run = held
    return ChangeImplemented(
        claim=token,
        attempt=len(state.refusals) + 1,
        run=run,
        base=found.base,
        commit=made.id,
        tree=made.tree,
        patch=patch,
        recipe=recipe,
        files=made.files,
        fixed=0,
        remaining=0,
        tests=f"Added: {', '.join(tests)}",
    )
