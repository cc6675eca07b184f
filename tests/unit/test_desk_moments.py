"""A time names the log as the server stored it, whatever the clocks of those who wrote say."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner

from events.envelope import Cause
from events.improvement_facts import Reprioritised
from events.memory import InMemoryArtefacts, InMemoryEventStore
from events.store import Batch, Position
from services.cli.__main__ import app
from services.cli.desk import LogDesk
from services.cli.options import At, Until
from services.cli.session import Exit
from services.runtime.log import Log

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
CAUSE = Cause(actor="test", source="/test", correlation=str(UUID(int=7)))
A_MOMENT = timedelta(milliseconds=3)


class ServedStore(InMemoryEventStore):
    """Stores each event when its server says, which is not when its writer's clock says."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.stored: list[datetime] = []

    async def seq_at(self, time: datetime) -> int:
        return sum(stored <= time for stored in self.stored)


async def desk(*times: tuple[datetime, datetime]) -> LogDesk:
    """A log whose events have these times: their own, and when they were stored."""
    owns = [own for own, _ in times]
    store = ServedStore(lambda: owns[len(store.stored)])
    for number, (_, stored) in enumerate(times):
        batch = Batch("improvement", f"imp-{number}", Position(), (Reprioritised(rank=1, reason="a"),))
        await store.append_many([batch], CAUSE)
        store.stored.append(stored)
    book = Log(store, InMemoryArtefacts(), lambda: NOON)
    return LogDesk(cast(Any, None), cast(Any, None), book)


def second(count: float) -> datetime:
    return NOON + timedelta(seconds=count)


async def test_a_slow_clock_puts_nothing_into_the_past() -> None:
    hour = timedelta(hours=1)
    place = await desk((second(0), second(0)), (second(5) - hour, second(5)), (second(6) - hour, second(6)))
    assert await place.seq_at(second(4).isoformat()) == 1
    assert await place.seq_at(second(5).isoformat()) == 2


async def test_a_clock_slow_by_seconds_puts_nothing_into_the_past_either() -> None:
    place = await desk((second(0), second(0)), (second(1), second(5)), (second(5), second(6)))
    assert await place.seq_at(second(4).isoformat()) == 1


async def test_the_time_that_a_row_shows_names_its_event_which_was_stored_a_moment_later() -> None:
    place = await desk(*[(second(n), second(n) + A_MOMENT) for n in range(3)])
    assert [await place.seq_at(second(n).isoformat()) for n in range(3)] == [1, 2, 3]


async def test_a_row_of_a_clock_far_behind_names_no_event_by_its_time() -> None:
    place = await desk((second(-9), second(-9)), (second(0), second(60)))
    assert await place.seq_at(second(0).isoformat()) == 1


@pytest.mark.parametrize("empty", ["", " "])
@pytest.mark.parametrize(
    "words", [("improvements", "list", "--at"), ("runs", "list", "--at"), ("replay", "--until")]
)
def test_a_moment_that_is_empty_is_refused(words: tuple[str, ...], empty: str, tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, [*words, empty], env={"APS_HOME": str(tmp_path / "none")})
    assert (ended.exit_code, "it is empty" in ended.output) == (Exit.USAGE, True)
    assert not (tmp_path / "none").exists()


def test_without_the_option_no_moment_is_meant() -> None:
    one = typer.Typer()

    @one.command()
    def told(at: At = "", until: Until = "") -> None:
        typer.echo([at, until])

    assert CliRunner().invoke(one, []).output.strip() == "['', '']"
    assert CliRunner().invoke(one, ["--at", "3"]).output.strip() == "['3', '']"
