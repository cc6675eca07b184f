"""A log that lost its end takes nothing more: a new event would get an old one's place."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from nats.aio.client import Client

from events.envelope import Cause
from events.improvement_facts import Reprioritised
from events.jetstream.length import Length
from events.jetstream.log import JetStreamEventStore
from events.store import Batch, Position, Shortened
from tests.cut_log import cut
from tests.log_server import LogServer, started

CAUSE = Cause(actor="test", source="/test", correlation=str(UUID(int=7)))
PATIENCE = 30.0


class Witness:
    """Knows how far the log reached; is asked by a store."""

    def __init__(self, reached: int = 0) -> None:
        self.reached = reached
        self.is_away = False
        self.asked: list[int] = []
        self._head = 0

    async def require(self, own: int) -> bool:
        """Refuse a log that does not reach as far."""
        self.asked.append(own)
        if self.is_away:
            return False
        self.reached = max(self.reached, own)
        if self._head < self.reached:
            raise Shortened(f"the log once reached {self.reached}")
        return True

    def restore(self) -> None:
        """Find the log whole again."""
        self._head = self.reached


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[LogServer]:
    """A server of this test alone, which may be killed."""
    log_server = started(tmp_path)
    yield log_server
    log_server.kill()


async def append(store: JetStreamEventStore, *names: str) -> None:
    for name in names:
        batch = Batch("improvement", name, Position(), (Reprioritised(rank=1, reason="a test"),))
        await store.append_many([batch], CAUSE)


def store_on(connection: Client, witness: Witness | None = None) -> JetStreamEventStore:
    return JetStreamEventStore(
        connection, lambda: datetime.now(UTC), require=witness.require if witness else None
    )


@asynccontextmanager
async def killed(server: LogServer, connection: Client) -> AsyncIterator[None]:
    """Let the server be dead for the time of the block; the connection is back at its end."""
    before = connection.stats["reconnects"]
    await asyncio.to_thread(server.kill)
    yield
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(PATIENCE):
        while connection.stats["reconnects"] == before or not connection.is_connected:  # noqa: ASYNC110 -- of a client
            await asyncio.sleep(0.01)


async def test_who_knows_of_more_is_asked_before_the_first_append(admin: Client) -> None:
    witness = Witness(reached=5)
    store = store_on(admin, witness)
    for _ in range(2):
        with pytest.raises(Shortened, match="once reached 5"):
            await append(store, "a")
    assert await store.head() == 0
    witness.restore()
    await append(store, "a", "b")
    assert (await store.head(), len(witness.asked)) == (2, 3), (
        "once it was found whole, nobody is asked again"
    )


async def test_appends_that_meet_ask_once(admin: Client) -> None:
    witness = Witness()
    store = store_on(admin, witness)
    await asyncio.gather(*(append(store, f"i{n}") for n in range(20)))
    assert witness.asked == [0]


async def test_who_could_not_be_asked_is_asked_again_after_a_while(admin: Client) -> None:
    witness = Witness()
    witness.is_away = True
    store = store_on(admin, witness)
    await append(store, "a", "b")
    assert witness.asked == [0], "not yet"
    soon = Length(admin, store.head, witness.require, again_seconds=0.0)
    for _ in range(2):
        assert not soon.is_known
        await soon.look()
    witness.is_away = False
    await soon.look()
    assert (soon.is_known, len(witness.asked)) == (True, 4)


async def test_a_server_that_comes_back_with_less_takes_nothing_until_it_has_all_again(
    own_server: LogServer, tmp_path: Path
) -> None:
    await own_server.wipe()
    disk, older, newer = tmp_path / "store", tmp_path / "older", tmp_path / "newer"
    async with own_server.connection("admin") as connection:
        store, witness = store_on(connection), Witness()
        asking = store_on(connection, witness)
        await append(store, "a", "b")
        async with killed(own_server, connection):
            shutil.copytree(disk, older)
        await append(store, "c")
        await append(asking, "d")
        async with killed(own_server, connection):
            disk.rename(newer)
            shutil.copytree(older, disk)
        assert await store.head() == 2
        for _ in range(2):
            with pytest.raises(Shortened, match="ends at 2, and had reached 3 before"):
                await append(store, "e")
        with pytest.raises(Shortened, match="once reached 4"):
            await append(asking, "e")
        assert await store.head() == 2
        async with killed(own_server, connection):
            shutil.rmtree(disk)
            newer.rename(disk)
        witness.restore()
        await append(store, "e")
        await append(asking, "f")
        assert await store.head() == 6


async def test_a_place_that_is_given_again_tells_without_any_reconnect(admin: Client) -> None:
    store = store_on(admin)
    await append(store, "a", "b", "c")
    await cut(admin, keep=1)
    with pytest.raises(Shortened, match="gave sequence 2 again, and had reached 3 before"):
        await append(store, "d")
    with pytest.raises(Shortened, match="ends at 2, and had reached 3 before"):
        await append(store, "e")
    assert await store.head() == 2


async def test_a_log_that_grows_while_others_write_is_never_taken_for_a_shorter_one(admin: Client) -> None:
    stores = [store_on(admin, Witness()) for _ in range(3)]
    names = [[f"{store}-{n}" for n in range(30)] for store in range(3)]
    await asyncio.gather(
        *(append(stores[store], name) for store in range(3) for name in names[store]),
    )
    assert await stores[0].head() == 90
