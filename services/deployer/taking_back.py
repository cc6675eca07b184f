"""Takes landed changes back, one commit each, wherever they stand on the branch.

Rules
1. Where later changes do not overlap, the commit is reverted; where they do, the branch's content is made
   again without the change, by repeating the recipes of the others, and committed as it comes out.
2. What comes out must keep the suite as good as it was; else nothing is moved and the reason is recorded.
3. When nothing is left, the tree is the base's, to the byte.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from events.deployment import DEPLOYMENT, Started, StepCompleted, Succeeded
from events.envelope import Cause
from events.improvement import IMPROVEMENT, LANDED, Improvement
from events.improvement_facts import ChangeRolledBack, RollbackRefused
from events.target import TARGET
from services.changes.message import AUTHOR, rollback_message
from services.changes.release import BRANCH, contains, history
from services.changes.repeating import layers_of
from services.changes.stacking import Stack
from services.changes.verifying import harm_of
from services.deployer.reaching import move, standing_at
from services.runtime.claims import ROLLBACK
from services.runtime.log import Change
from services.runtime.workbench import Workbench
from services.workspace.git.repository import Conflict, RefMoved, Repository
from services.workspace.target import TargetProblem

REVERTED = "reverted"
REBUILT = "made again without it"


@dataclass(frozen=True)
class Undo:
    """One improvement taken back: the commit that does it and how it was made."""

    improvement: str
    commit: str
    method: str


@dataclass(frozen=True)
class Branch:
    """The release branch as it stands: `order` are the improvements on it, oldest first.

    `gone` were asked for and are taken back on it already, though a crash kept that from being recorded.
    """

    target: str
    path: str
    scan: str
    base: str
    tip: str
    order: tuple[tuple[str, str], ...]
    gone: dict[str, str]


async def take_back(bench: Workbench, target: str, when: datetime, cause: Cause) -> None:
    """Take back every landed change of a target for which that was asked."""
    async with bench.claim(TARGET, target, ROLLBACK, cause):
        asked = await _asked(bench, target)
        if not asked:
            return
        try:
            branch = await _branch(bench, target, asked)
            undone = await _undo(bench, branch, asked, when)
            await _verify(bench, branch, undone)
            await _carry_out(bench, branch, asked, undone, cause)
        except (CannotTakeBack, TargetProblem, RefMoved) as problem:
            refused = [Change(IMPROVEMENT, id, (RollbackRefused(reason=str(problem)),)) for id in asked]
            await bench.book.record_all(refused, cause)


class CannotTakeBack(Exception):  # noqa: N818 -- what happened
    """The change stays: taking it back would do harm, or it is not where the log says."""


async def _asked(bench: Workbench, target: str) -> dict[str, Improvement]:
    state = await bench.book.state(TARGET, target)
    ids = dict.fromkeys(i for s in state.scans.values() if s.done for i in s.done.improvements)
    states = {id: await bench.book.state(IMPROVEMENT, id) for id in ids}
    return {id: s for id, s in states.items() if s.status in LANDED and s.rollback is not None}


async def _branch(bench: Workbench, target: str, asked: dict[str, Improvement]) -> Branch:
    state = await bench.book.state(TARGET, target)
    assert state.registered is not None  # noqa: S101 -- only a registered target has landed changes
    tip = await standing_at(bench, target, state.registered.path)
    if tip is None:
        raise CannotTakeBack(f"the branch {BRANCH} is gone from the target")
    discovered = [s.discovered for s in asked.values() if s.discovered]
    last = max(discovered, key=lambda d: state.scans[d.scan].number)
    repository = await bench.clone(target, last.base)
    if not await contains(repository, tip, last.base):
        raise CannotTakeBack(
            f"the branch {BRANCH} no longer contains {last.base}, on which the change stands"
        )
    past = await history(repository, last.base, tip)
    missing = [id for id in asked if id not in past.standing and id not in past.taken_back]
    if missing:
        raise CannotTakeBack(f"not on the branch {BRANCH} above {last.base[:12]}: {', '.join(missing)}")
    order = tuple(past.standing.items())
    gone = {id: commit for id, commit in past.taken_back.items() if id in asked}
    return Branch(target, state.registered.path, last.scan, last.base, tip, order, gone)


async def _undo(
    bench: Workbench, branch: Branch, asked: dict[str, Improvement], when: datetime
) -> tuple[Undo, ...]:
    repository = bench.workspace.repository(branch.target)
    undone = [Undo(id, commit, REVERTED) for id, commit in branch.gone.items()]
    tip, left = branch.tip, dict(branch.order)
    for id in [i for i, _ in reversed(branch.order) if i in asked]:
        commit = left.pop(id)
        tree, method = await _tree_without(bench, repository, branch, tip, commit, tuple(left))
        state = asked[id]
        assert state.discovered is not None  # noqa: S101 -- landed, so discovered
        assert state.rollback is not None  # noqa: S101 -- chosen because it was asked for
        message = rollback_message(id, state.discovered, state.rollback.reason)
        tip = await repository.commit_tree(tree, (tip,), message, AUTHOR, when)
        undone.append(Undo(id, tip, method))
    return tuple(undone)


async def _tree_without(
    bench: Workbench,
    repository: Repository,
    branch: Branch,
    tip: str,
    commit: str,
    left: tuple[str, ...],
) -> tuple[str, str]:
    reverted = await repository.revert_tree(tip, commit)
    if not isinstance(reverted, Conflict) and not (not left and await _only_ours(repository, branch)):
        return reverted, REVERTED
    return await _made_again(bench, repository, branch, left), REBUILT


async def _only_ours(repository: Repository, branch: Branch) -> bool:
    """Whether nobody else committed on the branch, so that with nothing left it must equal the base."""
    infos = await repository.log(f"{branch.base}..{branch.tip}")
    return all(info.author == AUTHOR for info in infos)


async def _made_again(bench: Workbench, repository: Repository, branch: Branch, left: tuple[str, ...]) -> str:
    if not await _only_ours(repository, branch):
        raise CannotTakeBack("later commits by others overlap with the change; revert it by hand")
    async with bench.worktree(branch.target, f"{branch.scan}-without", branch.base) as tree:
        stacked = await Stack(repository, tree).build(branch.base, await layers_of(bench.book, left))
    return stacked[-1].tree if stacked else await repository.tree(branch.base)


async def _verify(bench: Workbench, branch: Branch, undone: tuple[Undo, ...]) -> None:
    repository = bench.workspace.repository(branch.target)
    tree = await repository.tree(undone[-1].commit)
    if tree == await repository.tree(branch.base):
        return
    if why := await harm_of(bench, branch.target, branch.scan, undone[-1].commit):
        raise CannotTakeBack(f"without it, {why}")


async def _carry_out(
    bench: Workbench,
    branch: Branch,
    asked: dict[str, Improvement],
    undone: tuple[Undo, ...],
    cause: Cause,
) -> None:
    book, repository = bench.book, bench.workspace.repository(branch.target)
    tip = undone[-1].commit
    tree = await repository.tree(tip)
    landed = sorted((id, s.deployed.commit) for id, s in asked.items() if s.deployed)
    digest = hashlib.sha256(f"{landed}".encode()).hexdigest()[:8]
    attempt, id = 1, f"{branch.scan}-rollback-{digest}"
    while (state := await book.state(DEPLOYMENT, id)).ended is not None:
        attempt += 1  # the same commits landed and were taken back before
        id = f"{branch.scan}-rollback-{digest}-{attempt}"
    started = Started(
        kind="rollback",
        target=branch.target,
        scan=branch.scan,
        improvements=tuple(u.improvement for u in undone),
        branch=BRANCH,
        expected=branch.tip,
        tip=tip,
        tree=tree,
    )
    if state.started is None:
        await book.record(DEPLOYMENT, id, started, cause=cause)
    await move(bench, branch.target, branch.path, tip, branch.tip)
    step = StepCompleted(step="apply", detail=f"{BRANCH} stands at {tip}")
    changes = [Change(DEPLOYMENT, id, (step, Succeeded(tip=tip, tree=tree)))]
    for undo in undone:
        gone = ChangeRolledBack(
            deployment=id,
            commit=undo.commit,
            tree=await repository.tree(undo.commit),
            method=undo.method,
        )
        changes.append(Change(IMPROVEMENT, undo.improvement, (gone,)))
    await book.record_all(changes, cause)
