"""Pictures for `aps monitor`: every text in one of them says what it is told to.

`python -m tests.monitor_example SAYING` shows one on the terminal, as the command does.
"""

import asyncio
import sys
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from pydantic import BaseModel

from projections.fold import Poisoned
from projections.views.budgets import BudgetRow
from projections.views.improvement_board import ImprovementRow
from projections.views.task_board import TaskRow, TaskState
from schemas.improvement import Status
from services.cli.monitor.picture import Picture, Seen, pictured
from services.cli.monitor.screen import show
from services.gateway.health import Component, Health, State
from services.steering.letters import DeadLetter

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOSTILE = (
    "<script>x</script>\x1b[31;47m\x1b]0;title\x07\x1b[2J\x9b5A\u202egnp\u2066\u200b\x00\x08\r\n\t"
    "[bold]y[/bold]:smile:\ud800"
)
SHOWN = "<script>x</script>"


def task(id: str = "up006") -> TaskRow:
    return TaskRow(
        aggregate="improvement",
        id=id,
        token=3,
        work="implementation",
        agent="developer@host",
        state=TaskState.RUNNING,
        lease_until=NOW + timedelta(seconds=15),
        claimed_at=NOW - timedelta(minutes=5),
        claimed_seq=7,
        ended_at=None,
        ended_seq=None,
        ended_by="",
        reason="",
        taken_over=0,
        escalated="",
        valid_from_seq=7,
        valid_to_seq=None,
    )


def improvement(id: str, status: Status, blocked: str = "", minutes: int = 0) -> ImprovementRow:
    return ImprovementRow(
        id=id,
        target="shelf",
        scan="scan-1",
        base="b" * 40,
        rank=1,
        source="deterministic",
        rule="UP006",
        title=f"title of {id}",
        status=status,
        risk="high",
        reason="",
        attempts=1,
        commit="c" * 40,
        branch="aps/improved",
        fixed=1,
        expected=1,
        left_out=0,
        files=("a.py",),
        blocked=blocked,
        blocked_since=NOW - timedelta(minutes=minutes) if blocked else None,
        escalated="",
        blockers=(),
        version=4,
        discovered_at=NOW - timedelta(days=1),
        updated_at=NOW - timedelta(minutes=minutes),
        valid_from_seq=9,
        valid_to_seq=None,
    )


def budget() -> BudgetRow:
    return BudgetRow(
        id="day-2026-11-23",
        limit_micros=5_000_000,
        reserved_micros=0,
        committed_micros=1_250_000,
        over_micros=0,
        left_micros=3_750_000,
        limit_runs=500,
        running=0,
        runs=3,
        exhausted="nothing is left",
        escalated="",
        until=None,
        opened_at=NOW,
        updated_at=NOW,
        valid_from_seq=5,
        valid_to_seq=None,
    )


def health(*failed: str) -> Health:
    components = tuple(
        Component(name=name, state=State.FAILED if name in failed else State.OK, detail=f"what {name} says")
        for name in ("nats", "postgresql", "disk")
    )
    return Health(state=State.FAILED if failed else State.OK, version="0.1.0", components=components)


def seen(**more: Any) -> Seen:
    return replace(
        Seen(
            position=42,
            paused="everything is paused (a release)",
            tasks=(task(),),
            improvements=(
                improvement("waits", Status.TESTING_COMPLETE, blocked="risk high", minutes=90),
                improvement("landed", Status.DEPLOYMENT_COMPLETE, minutes=2),
                improvement("declined", Status.DECLINED, minutes=1),
            ),
            budgets=(budget(),),
            poisoned=(Poisoned(seq=9, aggregate="improvement", id="x", reason="what broke"),),
            letters=(DeadLetter(number=1, role="qa", seq=8, subject="aps.v1.a.b.c", reason="five times"),),
        ),
        **more,
    )


def picture(saying: str = "") -> Picture:
    """A picture with something in every part; where `saying` is given every text of every row says it."""
    made = pictured(seen(), health("nats"), NOW, "PostgreSQL is away")
    return made if not saying else _saying(made, saying)


def _saying(value: Any, text: str) -> Any:
    match value:
        case Enum():
            return value
        case str():
            return text
        case tuple():
            return tuple(_saying(item, text) for item in value)
        case dict():
            return {_saying(key, text): item for key, item in value.items()}
        case BaseModel():
            return value.model_copy(
                update={name: _saying(getattr(value, name), text) for name in type(value).model_fields}
            )
        case _ if is_dataclass(value) and not isinstance(value, type):
            said = {one.name: _saying(getattr(value, one.name), text) for one in fields(value)}
            return replace(value, **said)
        case _:
            return value


if __name__ == "__main__":
    asyncio.run(show(lambda: picture(sys.argv[1].encode().decode("unicode_escape"))))
