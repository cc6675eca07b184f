"""What each fact says, in one line a person reads."""

from collections.abc import Callable
from typing import Any

from events import (
    access,
    agent,
    batch,
    budget,
    delivery,
    deployment,
    engine,
    escalation,
    improvement_facts,
    lease,
    run,
    swarm,
    target,
)
from events.budget import dollars
from events.fact import Fact
from schemas.improvement import Relation

i = improvement_facts

RELATIONS = {
    Relation.DUPLICATE: "asks for the same as",
    Relation.SUPERSEDES: "replaces",
    Relation.SUPERSEDED_BY: "is replaced by",
    Relation.DEPENDS_ON: "depends on",
    Relation.REQUIRED_BY: "is required by",
    Relation.CONFLICTS: "conflicts with",
    Relation.RELATED: "is related to",
    Relation.UNRELATED: "is unrelated to",
}
SAYS: dict[type[Fact], Callable[[Any], str]] = {
    i.Discovered: lambda f: f"found: {f.title} ({_count(f.expected, 'finding')}, rank {f.rank})",
    i.Reprioritised: lambda f: f"now rank {f.rank}: {f.reason}",
    i.RequirementsSpecified: lambda f: f"requirements written: {len(f.requirements)}",
    i.ArchitectureDesigned: lambda f: f"designed: risk {f.risk}, touches {_touched(f)}",
    i.ChangeDelivered: lambda f: f"a change was delivered by {f.agent}",
    i.DeliveryRefused: lambda f: f"what {f.agent} delivered was refused: {f.reason}",
    i.ChangeImplemented: lambda f: (
        f"implemented, attempt {f.attempt}: {_count(f.fixed, 'finding')} fixed"
        f" in {_count(len(f.files), 'file')}, {f.remaining} remaining, commit {f.commit[:10]}"
    ),
    i.ChangeValidated: lambda f: (
        f"proven: {_count(len(f.gates), 'gate')} and {_count(len(f.scenarios), 'scenario')} passed,"
        f" {_count(f.fixed, 'finding')} fixed, {len(f.left_out)} left out"
    ),
    i.ChangeRefuted: lambda f: f"refused, attempt {f.attempt}: {f.reason}",
    i.ChangeApproved: lambda f: f"approved: {f.reason}",
    i.ChangeDeclined: lambda f: f"declined: {f.reason}",
    i.ChangeDeployed: lambda f: f"{'partly ' if f.partly else ''}landed on {f.branch} as {f.commit[:10]}",
    i.DeploymentFailed: lambda f: f"deployment failed: {f.reason}",
    i.RollbackRequested: lambda f: f"to be taken back: {f.reason}",
    i.ChangeRolledBack: lambda f: f"taken back by {f.method}; the branch stands at {f.commit[:10]}",
    i.RollbackRefused: lambda f: f"could not be taken back: {f.reason}",
    i.BenefitMeasured: lambda f: f"{f.measure}: {f.before} before, {f.after} after",
    i.Blocked: lambda f: f"blocked: {f.reason}; needs {f.needs}",
    i.Unblocked: lambda f: f"unblocked: {f.reason}",
    i.Related: lambda f: f"{RELATIONS[f.relation]} {f.other}: {f.reason} (judged by {f.judged_by})",
    i.Retried: lambda f: f"to be tried again: {f.reason}",
    i.Abandoned: lambda f: f"abandoned: {f.reason}",
    escalation.Escalated: lambda f: (
        f"waits since {f.since:%Y-%m-%d %H:%M}: {f.reason}; for {' or '.join(f.blockers)}"
    ),
    lease.WorkClaimed: lambda f: f"{f.work} claimed by {f.agent} until {f.lease_until:%H:%M:%S}",
    lease.WorkRenewed: lambda f: f"claim {f.claim} renewed until {f.lease_until:%H:%M:%S}",
    lease.WorkReleased: lambda f: f"claim {f.claim} released: {f.reason}",
    batch.Formed: lambda f: f"in a batch of {len(f.members)} on {f.base[:10]}",
    batch.Tested: lambda f: (
        f"suite {'passed' if f.passed else 'failed'} with {_count(f.members, 'change')}"
        f" on tree {f.tree[:10]}{_because(f.reason)}"
    ),
    batch.Split: lambda f: f"breaks the suite; tried again in {_count(f.parts, f.kind)}: {f.reason}",
    batch.Settled: lambda f: (
        f"batch settled: {len(f.kept)} kept, {len(f.smaller)} made smaller, {len(f.refused)} refused"
    ),
    batch.Closed: lambda f: f"batch closed: {len(f.landed)} proven in {_count(f.suite_runs, 'suite run')}",
    deployment.Started: lambda f: f"{f.kind} begun: {f.branch} to {f.tip[:10]}",
    deployment.StepCompleted: lambda f: f"{f.step} done{_because(f.detail)}",
    deployment.HealthChecked: lambda f: (
        f"health check {'passed' if f.passed else f'failed with exit code {f.exit_code}'}: {f.command}"
    ),
    deployment.Succeeded: lambda f: f"deployed: the branch stands at {f.tip[:10]}",
    deployment.Failed: lambda f: f"deployment failed: {f.reason}",
    deployment.RolledBack: lambda f: f"restored: the branch stands at {f.tip[:10] or 'nothing'}",
    agent.Registered: lambda f: f"agent registered: {f.title}, for the work of {f.role}",
    agent.WorkTaken: lambda f: f"took {f.improvement}",
    agent.Progressed: lambda f: f"{f.percent} % of {f.improvement}{_because(f.note)}",
    agent.Left: lambda f: f"agent left: {f.reason}",
    delivery.Received: lambda f: f"{f.event} delivered by {f.source}{_about(f.about)}",
    delivery.Understood: lambda f: f"delivery {f.outcome}: {f.said}",
    delivery.Refused: lambda f: f"delivery by {f.source} refused{_times(f.times)}: {f.why}",
    access.Granted: lambda f: f"{f.role} token granted: {f.title}, until {f.expires_at:%Y-%m-%d %H:%M}",
    access.Revoked: lambda f: f"token revoked: {f.reason}",
    access.Left: lambda f: "session left",
    access.Denied: lambda f: f"denied{_times(f.times)}: {f.what}, {f.why}",
    run.Requested: lambda f: (
        f"{f.engine} asked by {f.role}: {f.task}"
        + (f", attempt {f.attempt}" if f.attempt > 1 else "")
        + (f", instead of {f.instead_of}" if f.instead_of else "")
    ),
    run.Started: lambda _: "engine started",
    run.Completed: lambda f: f"engine answered in {f.duration_ms} ms",
    run.Failed: lambda f: f"engine failed after {f.duration_ms} ms: {f.reason}",
    run.Cancelled: lambda f: f"engine call cancelled: {f.reason}",
    run.Reused: lambda f: f"answer of run {f.run} reused",
    budget.Opened: lambda f: f"budget of {dollars(f.limit_micros)} and {_count(f.limit_runs, 'run')}",
    budget.Reserved: lambda f: f"{dollars(f.micros)} reserved for {f.run} until {f.lease_until:%H:%M:%S}",
    budget.Committed: lambda f: (
        f"{dollars(f.micros)} spent by {f.run}"
        + (f", and {dollars(f.over_micros)} beyond its reservation" if f.over_micros else "")
    ),
    budget.Released: lambda f: f"released what was reserved for {f.run}: {f.reason}",
    budget.Exhausted: lambda f: f"exhausted, no call made: {f.reason}",
    engine.CallBegun: lambda f: f"call begun by {f.run}, one of {f.places} at once",
    engine.CallEnded: lambda f: f"call of {f.run} ended: {f.failure or 'answered'}",
    engine.CircuitOpened: lambda f: (
        f"left alone until {f.until:%H:%M:%S} after {_count(f.failures, 'failure')} in a row: {f.failure}"
    ),
    swarm.Paused: lambda f: f"everything paused: {f.reason}",
    swarm.Resumed: lambda _: "everything resumed",
    target.Registered: lambda f: f"registered: {f.title}",
    target.ScanRequested: lambda f: f"scan {f.scan} of {f.base[:10]} asked for",
    target.Scanned: lambda f: (
        f"scanned: {_count(sum(f.findings.values()), 'finding')},"
        f" {_count(len(f.improvements), 'improvement')}"
    ),
    target.ScanFailed: lambda f: f"scan failed: {f.reason}",
    target.BaselineRecorded: lambda f: (
        f"baseline: {f.passed} passed, {f.failed} failed" if f.usable else f"no usable baseline: {f.reason}"
    ),
    target.Paused: lambda f: f"paused: {f.reason}",
    target.Resumed: lambda _: "resumed",
}


def summary(fact: Fact) -> str:
    """Return one line; line breaks in a reason become spaces."""
    says = SAYS.get(type(fact))
    return " ".join((says(fact) if says else fact.name.replace("_", " ")).split())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _about(repository: str) -> str:
    return f" about {repository}" if repository else ""


def _touched(fact: improvement_facts.ArchitectureDesigned) -> str:
    return _count(sum(component.touched for component in fact.components), "module")


def _times(number: int) -> str:
    return f" {number} times" if number > 1 else ""
