"""Puts the approved changes of a batch on the release branch: prepare, apply, verify, promote or restore."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from events.batch import BATCH, Batch, Formed
from events.deployment import (
    DEPLOYMENT,
    Failed,
    RolledBack,
    Started,
    StepCompleted,
    Succeeded,
)
from events.envelope import Cause
from events.fact import Fact
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import ChangeDeployed, ChangeRolledBack, DeploymentFailed
from events.target import TARGET
from schemas.aps_vocabulary import Phase
from services.changes.release import BRANCH, contains, history
from services.changes.repeating import layers_of
from services.changes.stacking import Stack
from services.changes.verifying import harm_of
from services.deployer.health import check_health
from services.deployer.policy import decided, deployable
from services.deployer.reaching import move, put_back, standing_at
from services.runtime.log import Change
from services.runtime.workbench import Workbench
from services.workspace.git.repository import Repository
from services.workspace.target import TargetProblem

Commits = tuple[tuple[str, str], ...]
RESTORED = "restored by the deployment that failed"
UNMOVED = "nothing was moved"


@dataclass(frozen=True)
class Plan:
    """What goes on the branch: `commits` by improvement in order, from `expected` (None: no branch yet)."""

    target: str
    path: str
    scan: str
    expected: str | None
    commits: tuple[tuple[str, str], ...]
    tree: str
    unproven: bool = False
    attempt: int = 1

    @property
    def tip(self) -> str:
        """The last commit."""
        return self.commits[-1][1]

    @property
    def deployment(self) -> str:
        """An id that the same attempt at the same commits always has."""
        digest = hashlib.sha256(f"{self.commits}".encode()).hexdigest()[:8]
        again = f"-{self.attempt}" if self.attempt > 1 else ""
        return f"{self.scan}-deploy-{digest}{again}"


async def deploy(bench: Workbench, batch_id: str, cause: Cause) -> None:
    """Deploy what is approved of a batch once every member is decided."""
    batch = await bench.book.state(BATCH, batch_id)
    if batch.formed is None or batch.closed is None:
        return
    if not decided(await _states(bench, batch)):
        return
    target = batch.formed.target
    async with bench.claim(TARGET, target, "deployment", cause):
        states = await _states(bench, batch)
        members = deployable(batch.formed.members, states)
        if members:
            try:
                plan = await _prepare(bench, batch, members, states)
            except TargetProblem as problem:
                await _refuse(bench, batch, members, states, problem, cause)
            else:
                await _carry_out(bench, plan, cause)


async def _states(bench: Workbench, batch: Batch) -> dict[str, Improvement]:
    assert batch.formed is not None  # noqa: S101 -- the caller saw it formed
    return await bench.book.states(IMPROVEMENT, batch.formed.members)


async def _prepare(
    bench: Workbench, batch: Batch, members: Sequence[str], states: dict[str, Improvement]
) -> Plan:
    assert batch.formed is not None  # noqa: S101 -- the caller saw it formed
    formed = batch.formed
    target = await bench.book.state(TARGET, formed.target)
    assert target.registered is not None  # noqa: S101 -- only a registered target has batches
    expected = await standing_at(bench, formed.target, target.registered.path)
    repository = await bench.clone(formed.target, formed.base)
    start = expected if expected and await contains(repository, expected, formed.base) else formed.base
    standing = (await history(repository, formed.base, start)).standing
    if all(id in standing for id in members):
        commits = tuple((id, standing[id]) for id in members)
        return await _plan(repository, formed, target.registered.path, expected, commits)
    proven = _proven(start, members, states)
    if proven and not await repository.has(proven[-1][1]):
        proven = None  # they went with an earlier clone
    commits = proven or ()
    if proven is None:
        async with bench.worktree(formed.target, f"{formed.scan}-restack", start) as tree:
            stacked = await Stack(repository, tree).build(start, await layers_of(bench.book, members))
        commits = tuple((s.layer.improvement, s.commit) for s in stacked)
    plan = await _plan(repository, formed, target.registered.path, expected, commits)
    return replace(plan, unproven=proven is None)


async def _plan(
    repository: Repository, formed: Formed, path: str, expected: str | None, commits: Commits
) -> Plan:
    tree = await repository.tree(commits[-1][1])
    return Plan(formed.target, path, formed.scan, expected, commits, tree)


def _proven(
    start: str, members: Sequence[str], states: dict[str, Improvement]
) -> tuple[tuple[str, str], ...] | None:
    """Return the commits as QA proved them, when they stand one upon another from `start`; else None."""
    tip, commits = start, []
    for id in members:
        verdict = states[id].verdict
        if verdict is None or verdict.parent != tip:
            return None
        tip = verdict.commit
        commits.append((id, tip))
    return tuple(commits)


async def _refuse(
    bench: Workbench,
    batch: Batch,
    members: Sequence[str],
    states: dict[str, Improvement],
    problem: TargetProblem,
    cause: Cause,
) -> None:
    """Record that the target is out of reach, so that nothing was moved, and a person may retry.

    Raises `problem` where an attempt was begun before: it may have moved the branch.
    """
    assert batch.formed is not None  # noqa: S101 -- the caller saw it formed
    target = await bench.book.state(TARGET, batch.formed.target)
    assert target.registered is not None  # noqa: S101 -- only a registered target has batches
    commits = tuple((id, verdict.commit) for id in members if (verdict := states[id].verdict))
    repository = bench.workspace.repository(batch.formed.target)
    if not (commits and await repository.has(commits[-1][1])):
        raise problem  # without a clone nobody can say which attempt this is
    plan, begun = await _begun(
        bench, await _plan(repository, batch.formed, target.registered.path, None, commits)
    )
    if begun is not None:
        raise problem
    await bench.book.record(DEPLOYMENT, plan.deployment, _started(plan), cause=cause)
    await _record_failure(bench, plan, str(problem), None, UNMOVED, cause)


async def _begun(bench: Workbench, plan: Plan) -> tuple[Plan, Started | None]:
    """Return the attempt that is under way, with what it began with, or the next: what is over stays so."""
    while (state := await bench.book.state(DEPLOYMENT, plan.deployment)).ended is not None:
        plan = replace(plan, attempt=plan.attempt + 1)
    return plan, state.started


def _started(plan: Plan) -> Started:
    return Started(
        kind="deploy",
        target=plan.target,
        scan=plan.scan,
        improvements=tuple(i for i, _ in plan.commits),
        branch=BRANCH,
        expected=plan.expected or "",
        tip=plan.tip,
        tree=plan.tree,
    )


async def _carry_out(bench: Workbench, plan: Plan, cause: Cause) -> None:
    book = bench.book
    plan, begun = await _begun(bench, plan)
    if begun is None:
        await book.record(DEPLOYMENT, plan.deployment, _started(plan), cause=cause)
    else:  # begun before a crash: where the branch stood then is what a failure restores
        plan = replace(plan, expected=begun.expected or None)
    if plan.unproven and (why := await harm_of(bench, plan.target, plan.scan, plan.tip)):
        await _fail(bench, plan, f"on the present branch {why}", cause)
        return
    try:
        await move(bench, plan.target, plan.path, plan.tip, plan.expected)
    except TargetProblem as problem:
        await _record_failure(bench, plan, str(problem), plan.expected, UNMOVED, cause)
        return
    id = plan.deployment
    steps: tuple[Fact, ...] = (StepCompleted(step="apply", detail=f"{BRANCH} stands at {plan.tip}"),)
    if bench.health_command is not None:
        checked = await check_health(bench, plan.target, id, plan.tip, bench.health_command)
        await book.record(DEPLOYMENT, id, *steps, checked.fact, cause=cause)
        if checked.why:
            await put_back(bench, plan.target, plan.path, plan.tip, plan.expected)
            await _fail(bench, plan, checked.why, cause)
            return
        steps = ()
    done = Change(DEPLOYMENT, id, (*steps, Succeeded(tip=plan.tip, tree=plan.tree)))
    landed = await asyncio.gather(*(_landed(bench, plan, id, commit, cause) for id, commit in plan.commits))
    await book.record_all([done, *landed], cause)


async def _landed(bench: Workbench, plan: Plan, id: str, commit: str, cause: Cause) -> Change:
    proven = (await bench.book.state(IMPROVEMENT, id)).verdict
    fact = ChangeDeployed(
        deployment=plan.deployment,
        branch=BRANCH,
        commit=commit,
        tree=proven.tree
        if proven and proven.commit == commit
        else await bench.workspace.repository(plan.target).tree(commit),
        partly=bool(proven and proven.left_out),
    )
    return await bench.handoff(id, fact, Phase.DEPLOYMENT, cause)


async def _fail(bench: Workbench, plan: Plan, why: str, cause: Cause) -> None:
    """Record the failure and, with the branch read back as proof, that everything is as it was."""
    await _record_failure(bench, plan, why, await standing_at(bench, plan.target, plan.path), RESTORED, cause)


async def _record_failure(
    bench: Workbench, plan: Plan, why: str, tip: str | None, method: str, cause: Cause
) -> None:
    tree = await bench.workspace.repository(plan.target).tree(tip) if tip else ""
    ends = (Failed(reason=why), RolledBack(tip=tip or "", tree=tree))
    changes = [Change(DEPLOYMENT, plan.deployment, ends)]
    for id, _ in plan.commits:
        failed = DeploymentFailed(deployment=plan.deployment, reason=why)
        gone = ChangeRolledBack(deployment=plan.deployment, commit=tip or "", tree=tree, method=method)
        changes.append(Change(IMPROVEMENT, id, (failed, gone)))
    await bench.book.record_all(changes, cause)
