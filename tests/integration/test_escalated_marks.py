"""What waits too long is told by DevOps alone, and marked wherever people look."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from events import store
from events.improvement import IMPROVEMENT
from events.improvement_facts import Blocked
from schemas.access import Role
from services.devops.escalating import Lookout
from tests import projection_facts as f
from tests.gateway_place import CAUSE, Place, ground_at, open_place
from tests.log_server import LogServer

BLOCKED = Blocked(reason="risk high", needs="a <person>")


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    ground = ground_at(server, database, tmp_path, free_port)
    async with open_place(ground) as opened, ground.log("pm") as (_, pm), ground.log("devops") as (_, devops):
        await pm.record(IMPROVEMENT, "one", f.discovered(), cause=CAUSE)
        await devops.record(IMPROVEMENT, "one", BLOCKED, cause=CAUSE)
        yield opened


async def test_what_waits_is_marked_on_the_board_and_its_page_with_who_can_end_it(place: Place) -> None:
    async with place.ground.log("devops") as (_, devops):
        (told,) = await Lookout(devops, "devops@test", timedelta(0)).look()
    assert told.blockers == (BLOCKED.needs,)
    await place.seen()
    row = await place.views.improvement("one")
    assert row is not None
    assert (row.escalated, row.blockers, row.blocked_since) == (BLOCKED.reason, (BLOCKED.needs,), told.since)
    for path in ("/", "/ai/improvements", "/ai/improvements?shown=table", "/ai/improvements/one"):
        text = (await place.ask("GET", path, Role.VIEWER)).text
        assert "Waits too long" in text, path
        assert "a &lt;person&gt; can end it" in text, path


async def test_nobody_but_devops_tells_of_it(place: Place) -> None:
    lookout = Lookout(place.book, "cli@test", timedelta(0))
    with pytest.raises(store.Denied):
        await lookout.look()
    assert (await place.book.state(IMPROVEMENT, "one")).told is None
