"""What only an AI engine can do is refused at once where none can be asked, on a real server."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats.micro
import orjson
import pytest

from events.improvement import IMPROVEMENT
from events.improvement_facts import Abandoned
from events.jetstream.artefacts import JetStreamArtefacts
from events.jetstream.log import JetStreamEventStore
from events.subjects import dead_letter, subject
from events.target import TARGET
from schemas.improvement import Status
from services.cli.decisions import deciding
from services.cli.desk import at_log
from services.cli.engine_wanted import asking_from, require_engine
from services.cli.session import Exit, Stop
from services.cli.work import redelivery
from services.runtime.log import Log
from services.runtime.settings import Settings, load
from tests import projection_facts as f
from tests.asking_example import BECAUSE, Time
from tests.log_server import PASSWORDS, LogServer

ASKED, FOUND = "asked-1", "found-1"
PATIENCE = 30
ROLES = ("pm", "architect", "developer")

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quiet")]


@dataclass
class Place:
    """A log with a request and a finding that were abandoned, and the settings, without an engine, to it."""

    book: Log
    server: LogServer
    settings: Settings

    async def drop(self, role: str, id: str, fact: str) -> None:
        """Drop a letter about an event of an improvement."""
        events, _ = await self.book.store.read(IMPROVEMENT.name, id)
        (one,) = [event for event in events if event.envelope.address.fact == fact]
        letter = {"role": role, "seq": one.seq, "subject": subject(one.envelope.address), "reason": "r"}
        async with self.server.connection(role) as connection:
            await connection.jetstream().publish(dead_letter(role, one.seq), orjson.dumps(letter))


@pytest.fixture
async def place(server: LogServer, database: str, open_home: Path) -> AsyncIterator[Place]:
    environment = {"NATS_URL": server.url, "DATABASE_URL": database, "APS_HOME": str(open_home / "wanted")}
    async with server.connection("admin") as connection:
        clock = Time()
        book = Log(JetStreamEventStore(connection, clock), JetStreamArtefacts(connection), clock)
        opening = (f.registered(), f.scan_requested(), f.claimed())
        position = await book.record(TARGET, "toolz", *opening, cause=BECAUSE)
        await book.record(TARGET, "toolz", f.scanned(position.version), cause=BECAUSE)
        request = f.discovered(source="request", rule="request", files=())
        for id, found in ((ASKED, request), (FOUND, f.discovered(2))):
            await book.record(IMPROVEMENT, id, found, cause=BECAUSE)
        yield Place(book, server, load({**environment, **PASSWORDS}))


async def stopped(command: Coroutine[Any, Any, object]) -> Stop:
    with pytest.raises(Stop) as ended:
        await command
    return ended.value


async def refused(place: Place, command: Coroutine[Any, Any, object]) -> str:
    """What the command says that ends with 6 and records nothing."""
    head = await place.book.store.head()
    stop = await stopped(command)
    assert (stop.code, await place.book.store.head()) == (Exit.UNAVAILABLE, head)
    assert "no AI engine is set up" in str(stop)
    assert "set CLAUDE_CODE_API_KEY" in str(stop)
    return str(stop)


async def test_a_request_is_not_tried_again_without_an_engine(place: Place) -> None:
    await place.book.record(IMPROVEMENT, ASKED, Abandoned(reason="x"), cause=BECAUSE)
    told = await refused(place, deciding.retry(place.settings, [ASKED], "", PATIENCE, as_json=True))
    assert f"{ASKED} was asked for in words, and no copy of architect, developer, pm runs elsewhere" in told


async def test_a_request_under_way_is_not_followed_where_nobody_can_do_it(place: Place) -> None:
    await refused(place, deciding.retry(place.settings, [ASKED], "", PATIENCE, as_json=True))


async def test_a_letter_about_a_request_is_not_replayed_without_an_engine(place: Place) -> None:
    await place.drop("pm", ASKED, "discovered")
    told = await refused(place, redelivery.replay(place.settings, [], PATIENCE, as_json=True))
    assert "no copy of pm runs elsewhere" in told


async def test_a_letter_about_a_finding_needs_no_engine(place: Place) -> None:
    await place.drop("developer", FOUND, "discovered")
    await place.drop("developer", ASKED, "discovered")  # PM's to ask about: nothing is left for a Developer
    await redelivery.replay(place.settings, [], PATIENCE, as_json=True)


async def test_a_finding_needs_no_engine(place: Place) -> None:
    async with at_log(place.settings) as desk:
        assert not await require_engine(place.settings, desk, {FOUND: ROLES, ASKED: ()})


async def test_where_others_run_the_work_is_left_to_them_and_a_person_is_told(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as running:
        for role in ROLES:
            connection = await running.enter_async_context(place.server.connection(role))
            await nats.micro.add_service(connection, name=f"aps-{role}", version="1.0.0")
            await connection.flush()
        async with at_log(place.settings) as desk:
            assert await require_engine(place.settings, desk, {ASKED: ROLES})
    told = f"{ASKED} waits for architect, developer, pm running elsewhere"
    assert told in capfd.readouterr().err.replace("\n", " ")


def test_who_has_yet_to_ask_is_told_by_how_far_a_request_is() -> None:
    assert asking_from(Status.INITIALIZED) == ROLES
    assert asking_from(Status.ARCHITECTURE_COMPLETE) == ("developer",)
    assert asking_from(Status.TESTING_COMPLETE) == ()
