"""What waits too long in the golden story, and that it is told of."""

from datetime import datetime, timedelta

from events import improvement_facts, swarm
from events.escalation import Escalated
from events.lease import WorkClaimed
from schemas.obstacle import Obstacle
from schemas.risk import RiskClass
from tests.golden_telling import UNTIL, Story, designed

i = improvement_facts
DAY = "day-2026-01-05"


def waited(told: Story) -> None:
    """Tell of a decision, a budget, a pause, and of claims whose holders died."""
    id = "long-waiting"
    designed(told, id, "PERF401", 4, RiskClass.HIGH)
    blocked = i.Blocked(reason="risk high is beyond the autonomy medium", needs="a person's approval")
    told.tell("devops-1", "improvement", id, blocked)
    _escalated(told, "improvement", id, Obstacle.PERSON, told.now, blocked.reason, blocked.needs)
    _escalated(told, "budget", DAY, Obstacle.BUDGET, _exhausted_at(told), "nothing is left", "its limit")
    _short(told)
    told.tell("cli", "swarm", "all", swarm.Paused(reason="nobody is there"))
    _escalated(told, "swarm", "all", Obstacle.PAUSE, told.now, "nobody is there", "aps resume")
    told.tell("cli", "swarm", "all", swarm.Resumed())
    for aggregate, one, work in (
        ("improvement", id, "implementation"),
        ("target", "shelf", "scan"),
        ("batch", "batch-1", "search"),
        ("deployment", "deployment-1", "deploy"),
    ):
        _left_lying(told, aggregate, one, work)


def _short(told: Story) -> None:
    """Tell of work that a budget lets go on, and that it refuses again."""
    id = "short-of-budget"
    designed(told, id, "SIM102", 5, RiskClass.LOW)
    blocked = i.Blocked(
        reason=f"no engine wrote the change: the budget {DAY} is exhausted: nothing is left",
        needs="the budget that begins at 2026-01-06 00:00 UTC, or a higher APS_BUDGET_DAY or"
        " APS_BUDGET_DAY_RUNS",
        budget=DAY,
    )
    free = i.Unblocked(reason=f"the budget {DAY} refuses no longer what it refused")
    told.tell("developer-1", "improvement", id, blocked, free, blocked)
    _escalated(told, "improvement", id, Obstacle.BUDGET, told.now, blocked.reason, blocked.needs)


def _left_lying(told: Story, aggregate: str, id: str, work: str) -> None:
    soon = told.now + timedelta(seconds=2)
    told.tell("qa-1", aggregate, id, WorkClaimed(agent="qa-1", work=work, lease_until=soon))
    began = told.now
    told.tell("qa-2", aggregate, id, WorkClaimed(agent="qa-2", work=work, lease_until=UNTIL))
    reason = f"{work} was claimed 2 times and never finished or given back"
    _escalated(told, aggregate, id, Obstacle.CLAIM, began, reason, "qa-2")


def _escalated(
    told: Story, aggregate: str, id: str, obstacle: Obstacle, since: datetime, reason: str, blocker: str
) -> None:
    fact = Escalated(obstacle=obstacle, since=since, reason=reason, blockers=(blocker,))
    told.tell("devops-1", aggregate, id, fact)


def _exhausted_at(told: Story) -> datetime:
    return max(
        told.at(n) for n, one in enumerate(told.told, 1) if one.id == DAY and one.fact.name == "exhausted"
    )
