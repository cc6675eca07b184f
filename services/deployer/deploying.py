"""Puts the approved changes of a batch on the release branch: prepare, apply, verify, promote or restore."""

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from events.batch import BATCH, Batch, Formed
from events.deployment import (
    DEPLOYMENT,
    Failed,
    HealthChecked,
    RolledBack,
    Started,
    StepCompleted,
    Succeeded,
)
from events.envelope import Cause
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import ChangeDeployed, ChangeRolledBack, DeploymentFailed
from events.target import TARGET
from schemas.aps_vocabulary import Phase
from services.changes.release import BRANCH, REF, branch_tip, contains, history
from services.changes.repeating import layers_of
from services.changes.stacking import Stack
from services.changes.verifying import harm_of
from services.deployer.policy import decided, deployable
from services.runtime.log import Change
from services.runtime.workbench import Workbench
from services.sandbox.port import Command, Ended, Result
from services.workspace.git import Repository
from services.workspace.target import TargetProblem

Commits = tuple[tuple[str, str], ...]
KEPT_OUTPUT = 64 * 1024
RESTORED = "restored by the deployment that failed"


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

    @property
    def tip(self) -> str:
        """The last commit."""
        return self.commits[-1][1]

    @property
    def deployment(self) -> str:
        """An id that the same commits always have."""
        digest = hashlib.sha256(f"{self.commits}".encode()).hexdigest()[:8]
        return f"{self.scan}-deploy-{digest}"


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
            plan = await _prepare(bench, batch, members, states)
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
    repository = bench.workspace.repository(formed.target)
    expected = await branch_tip(bench.workspace, formed.target, target.registered.path)
    start = expected if expected and await contains(repository, expected, formed.base) else formed.base
    standing = (await history(repository, formed.base, start)).standing
    if all(id in standing for id in members):
        commits = tuple((id, standing[id]) for id in members)
        return await _plan(repository, formed, target.registered.path, expected, commits)
    proven = _proven(start, members, states)
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


async def _carry_out(bench: Workbench, plan: Plan, cause: Cause) -> None:
    book, id = bench.book, plan.deployment
    started = Started(
        kind="deploy",
        target=plan.target,
        scan=plan.scan,
        improvements=tuple(i for i, _ in plan.commits),
        branch=BRANCH,
        expected=plan.expected or "",
        tip=plan.tip,
        tree=plan.tree,
    )
    known = (await book.state(DEPLOYMENT, id)).started
    if known is None:
        await book.record(DEPLOYMENT, id, started, cause=cause)
    else:  # begun before a crash: where the branch stood then is what a failure restores
        plan = replace(plan, expected=known.expected or None)
    if plan.unproven and (why := await harm_of(bench, plan.target, plan.scan, plan.tip)):
        await _fail(bench, plan, f"on the present branch {why}", cause)
        return
    repository, there = bench.workspace.repository(plan.target), bench.workspace.path(plan.path)
    try:
        await repository.push_ref(there, plan.tip, REF, plan.expected)
    except TargetProblem as problem:
        await _fail(bench, plan, str(problem), cause)
        return
    steps = [StepCompleted(step="apply", detail=f"{BRANCH} stands at {plan.tip}")]
    health = bench.health_command
    if health is not None:
        checked = await _check_health(bench, plan, health)
        if not checked.passed:
            await book.record(DEPLOYMENT, id, *steps, checked, cause=cause)
            await _restore(bench, repository, plan)
            why = f"the health command ended with {checked.exit_code}: {health}"
            await _fail(bench, plan, why, cause)
            return
        await book.record(DEPLOYMENT, id, *steps, checked, cause=cause)
        steps = []
    done = Change(DEPLOYMENT, id, (*steps, Succeeded(tip=plan.tip, tree=plan.tree)))
    await book.record_all([done, *[await _landed(bench, plan, i, c, cause) for i, c in plan.commits]], cause)


async def _landed(bench: Workbench, plan: Plan, id: str, commit: str, cause: Cause) -> Change:
    state = await bench.book.state(IMPROVEMENT, id)
    fact = ChangeDeployed(
        deployment=plan.deployment,
        branch=BRANCH,
        commit=commit,
        tree=await bench.workspace.repository(plan.target).tree(commit),
        partly=bool(state.verdict and state.verdict.left_out),
    )
    return await bench.handoff(id, fact, Phase.DEPLOYMENT, cause)


async def _check_health(bench: Workbench, plan: Plan, health: str) -> HealthChecked:
    async with bench.worktree(plan.target, f"{plan.deployment}-health", plan.tip) as tree:
        bench.sandbox.hand_over(tree)
        argv = ("/bin/sh", "-c", health)
        result: Result = await bench.sandbox.run(Command(argv, tree, writable=(tree,)), bench.limits)
    output = (result.stdout + result.stderr)[-KEPT_OUTPUT:]
    return HealthChecked(
        command=shlex.join(argv),
        passed=result.ended is Ended.EXITED and result.exit_code == 0,
        exit_code=result.exit_code,
        output=await bench.book.keep(output, f"{plan.deployment}.health.txt", "text/plain"),
    )


async def _restore(bench: Workbench, repository: Repository, plan: Plan) -> None:
    there = bench.workspace.path(plan.path)
    if plan.expected is None:
        await repository.delete_ref(there, REF, plan.tip)
    else:
        await repository.push_ref(there, plan.expected, REF, plan.tip)


async def _fail(bench: Workbench, plan: Plan, why: str, cause: Cause) -> None:
    """Record the failure and, with the branch read back as proof, that everything is as it was."""
    repository = bench.workspace.repository(plan.target)
    now = await branch_tip(bench.workspace, plan.target, plan.path)
    tip = now or ""
    tree = await repository.tree(now) if now else ""
    changes = [Change(DEPLOYMENT, plan.deployment, (Failed(reason=why), RolledBack(tip=tip, tree=tree)))]
    for id, _ in plan.commits:
        failed = DeploymentFailed(deployment=plan.deployment, reason=why)
        gone = ChangeRolledBack(deployment=plan.deployment, commit=tip, tree=tree, method=RESTORED)
        changes.append(Change(IMPROVEMENT, id, (failed, gone)))
    await bench.book.record_all(changes, cause)
