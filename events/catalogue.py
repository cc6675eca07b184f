"""Every aggregate, every fact, and who may record it.

`MAY_RECORD` is the one table of rights: `nats/users.conf` is generated from it, and the server then
holds each role to its own facts.
"""

from events import batch, delivery, improvement_facts, lease, run, swarm, target
from events.access import ACCESS
from events.agent import AGENT
from events.batch import BATCH
from events.budget import BUDGET
from events.delivery import DELIVERY
from events.deployment import DEPLOYMENT
from events.engine import ENGINE
from events.escalation import Escalated
from events.fact import AggregateType, Fact
from events.improvement import IMPROVEMENT
from events.run import RUN
from events.swarm import SWARM
from events.target import TARGET
from events.upcasting import UPCASTS, UnknownFact, Vocabulary

__all__ = (
    "AGGREGATES",
    "FACTS",
    "MAY_RECORD",
    "VOCABULARY",
    "UnknownFact",
    "read_fact",
)

AGGREGATES: dict[str, AggregateType] = {  # type: ignore[type-arg]  # the state differs by aggregate
    a.name: a
    for a in (TARGET, IMPROVEMENT, BATCH, RUN, DEPLOYMENT, BUDGET, ENGINE, SWARM, ACCESS, DELIVERY, AGENT)
}

VOCABULARY = Vocabulary(
    {
        f"aps.{aggregate.name}.{fact.name}": fact
        for aggregate in AGGREGATES.values()
        for fact in aggregate.facts
    },
    UPCASTS,
)
FACTS: dict[str, type[Fact]] = VOCABULARY.current
read_fact = VOCABULARY.read

LEASE = (lease.WorkClaimed, lease.WorkRenewed, lease.WorkReleased)
# Who calls engines records each call, its place, and what it takes from the budgets.
CALLS: dict[str, tuple[type[Fact], ...]] = {
    "run": RUN.facts,
    "budget": tuple(fact for fact in BUDGET.facts if fact is not Escalated),
    "engine": ENGINE.facts,
}
i = improvement_facts
PERSON: dict[str, tuple[type[Fact], ...]] = {
    "target": (
        target.Registered,
        target.ScanRequested,
        target.Paused,
        target.Resumed,
        lease.WorkReleased,
    ),
    "improvement": (
        i.ChangeApproved,
        i.ChangeDeclined,
        i.RollbackRequested,
        i.Retried,
        i.Reprioritised,
        i.Unblocked,
        lease.WorkReleased,
    ),
    "batch": (lease.WorkReleased,),
    "run": (run.Cancelled,),
    "swarm": (swarm.Paused, swarm.Resumed),
    "access": ACCESS.facts,
}
# What agents from outside do, told by the gateway that they reach: they hold work, and deliver it.
OUTSIDE: dict[str, tuple[type[Fact], ...]] = {
    "improvement": (*PERSON["improvement"], lease.WorkClaimed, lease.WorkRenewed, i.ChangeDelivered),
    "agent": AGENT.facts,
}

MAY_RECORD: dict[str, dict[str, tuple[type[Fact], ...]]] = {
    "cli": {**PERSON, **CALLS},  # a command that explains or proposes asks an engine itself
    "gateway": {**PERSON, **OUTSIDE, "delivery": (delivery.Received, delivery.Refused)},
    "pm": {
        "target": (target.ScanRequested, target.Scanned, target.ScanFailed, *LEASE),
        "delivery": (delivery.Understood,),
        "improvement": (
            i.Discovered,
            i.Reprioritised,
            i.Related,
            i.RequirementsSpecified,
            i.Blocked,
            i.Abandoned,
            *LEASE,
        ),
        **CALLS,
    },
    "architect": {"improvement": (i.ArchitectureDesigned, i.Blocked, i.Abandoned, *LEASE), **CALLS},
    "developer": {
        "improvement": (i.ChangeImplemented, i.DeliveryRefused, i.Blocked, i.Abandoned, *LEASE),
        **CALLS,
    },
    "qa": {
        "target": (target.BaselineRecorded, *LEASE),
        "improvement": (i.ChangeValidated, i.ChangeRefuted),
        "batch": (batch.Formed, batch.Tested, batch.Split, batch.Settled, batch.Closed, *LEASE),
        **CALLS,
    },
    "devops": {
        "improvement": (
            i.ChangeApproved,
            i.ChangeDeclined,
            i.RollbackRequested,
            i.BenefitMeasured,
            i.Blocked,
            i.Unblocked,
            Escalated,
        ),
        **CALLS,
        "budget": BUDGET.facts,
        "target": (Escalated,),
        "batch": (Escalated,),
        "deployment": (Escalated,),
        "swarm": (Escalated,),
    },
    "deployer": {
        "target": LEASE,
        "improvement": (i.ChangeDeployed, i.DeploymentFailed, i.ChangeRolledBack, i.RollbackRefused),
        "deployment": tuple(fact for fact in DEPLOYMENT.facts if fact is not Escalated),
    },
    "projector": {},
}
