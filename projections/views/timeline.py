"""The timeline: what happened to an improvement, and in the batches, deployments and runs it was part of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.batch import Batch, Split
from events.deployment import Deployment
from events.improvement import Improvement
from events.run import Run
from projections.step import Change, Put, Step, View
from projections.table import Table
from projections.views.summary import summary

OF_IMPROVEMENT = """
select * from {schema}.timeline
where improvements @> array[$1::text] and ($2::bigint is null or seq <= $2)
order by seq
"""


@dataclass(frozen=True)
class TimelineRow:
    """One event, in a person's words, and the `improvements` it concerns."""

    seq: int
    time: datetime
    aggregate: str
    id: str
    version: int
    fact: str
    actor: str
    summary: str
    improvements: tuple[str, ...]


def concerned(step: Step) -> tuple[str, ...]:
    """Return the improvements an event concerns; none while it is not known which."""
    match step.after:
        case Improvement():
            return (step.id,)
        case Run(requested=requested) if requested is not None:
            return (requested.improvement,)
        case Batch() if isinstance(step.fact, Split):
            return (step.fact.improvement,)
        case Batch(formed=formed) if formed is not None:
            return formed.members
        case Deployment(started=started) if started is not None:
            return started.improvements
        case _:
            return ()


def evolve(step: Step) -> Sequence[Change]:
    """Each event that concerns an improvement is one row."""
    improvements = concerned(step)
    if not improvements:
        return ()
    return (
        Put(
            TimelineRow(
                seq=step.seq,
                time=step.stamp.time,
                aggregate=step.aggregate,
                id=step.id,
                version=step.stamp.version,
                fact=step.fact.name,
                actor=step.stamp.actor,
                summary=summary(step.fact),
                improvements=improvements,
            )
        ),
    )


TABLE = Table("timeline", TimelineRow, ("seq",), ("using gin (improvements)",))
TIMELINE = View(1, TABLE, evolve)
