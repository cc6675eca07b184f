"""Every aggregate, every fact, and who may record it.

`MAY_RECORD` is the one table of rights: `nats/users.conf` is generated from it, and the server then
holds each role to its own facts.
"""

from events import batch, improvement_facts, lease, target
from events.batch import BATCH
from events.deployment import DEPLOYMENT
from events.fact import AggregateType, Fact
from events.improvement import IMPROVEMENT
from events.run import RUN
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

AGGREGATES: dict[str, AggregateType] = {a.name: a for a in (TARGET, IMPROVEMENT, BATCH, RUN, DEPLOYMENT)}  # type: ignore[type-arg]  # the state differs by aggregate

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
}

MAY_RECORD: dict[str, dict[str, tuple[type[Fact], ...]]] = {
    "cli": PERSON,
    "gateway": PERSON,
    "pm": {
        "target": (target.Scanned, target.ScanFailed, *LEASE),
        "improvement": (i.Discovered, i.Reprioritised, i.RequirementsSpecified, *LEASE),
        "run": RUN.facts,
    },
    "architect": {"improvement": (i.ArchitectureDesigned, *LEASE), "run": RUN.facts},
    "developer": {"improvement": (i.ChangeImplemented, i.Abandoned, *LEASE), "run": RUN.facts},
    "qa": {
        "target": (target.BaselineRecorded, *LEASE),
        "improvement": (i.ChangeValidated, i.ChangeRefuted),
        "batch": (batch.Formed, batch.Tested, batch.Split, batch.Settled, batch.Closed, *LEASE),
        "run": RUN.facts,
    },
    "devops": {
        "improvement": (
            i.ChangeApproved,
            i.ChangeDeclined,
            i.RollbackRequested,
            i.BenefitMeasured,
            i.Blocked,
            i.Unblocked,
        ),
        "run": RUN.facts,
    },
    "deployer": {
        "target": LEASE,
        "improvement": (i.ChangeDeployed, i.DeploymentFailed, i.ChangeRolledBack, i.RollbackRefused),
        "deployment": DEPLOYMENT.facts,
    },
    "projector": {},
}
