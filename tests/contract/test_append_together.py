"""Appends that meet on one connection: stored together, each with an outcome of its own."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

from events.envelope import Cause
from events.evidence.verify import verify
from events.fact import Fact
from events.improvement_facts import ChangeDeployed, Reprioritised, Unblocked
from events.jetstream.log import JetStreamEventStore
from events.store import Batch, Conflict, Denied, Position
from tests.log_server import LogServer


def store_on(connection: object) -> JetStreamEventStore:
    return JetStreamEventStore(connection, lambda: datetime.now(UTC))  # type: ignore[arg-type]  # untyped


def because() -> Cause:
    return Cause(actor="test", source="/test", correlation=str(uuid4()))


async def append(store: JetStreamEventStore, id: str, at: Position, *facts: Fact) -> Position:
    facts = facts or (Reprioritised(rank=1, reason="a test"),)
    return (await store.append_many([Batch("improvement", id, at, facts)], because()))[0]


async def stored(server: LogServer) -> list[str]:
    async with server.connection("projector") as connection:
        log = [event async for event in store_on(connection).read_all()]
    assert list(verify(log)) == []
    return [event.envelope.subject.partition("/")[2] for event in log]


async def test_one_conflict_among_many_appends_fails_no_neighbour(server: LogServer) -> None:
    async with server.connection("cli") as connection, server.connection("cli") as elsewhere:
        store = store_on(connection)
        await append(store_on(elsewhere), "i13", Position())
        outcomes = await asyncio.gather(
            *(append(store, f"i{n}", Position()) for n in range(40)), return_exceptions=True
        )
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Conflict)] == [13]
    assert all(isinstance(outcome, Position) for n, outcome in enumerate(outcomes) if n != 13)
    assert Counter(await stored(server)) == Counter(f"i{n}" for n in range(40))


async def test_one_refusal_by_the_server_among_many_appends_fails_no_neighbour(server: LogServer) -> None:
    """A role is held to its own facts inside a batch too."""
    forbidden = ChangeDeployed(deployment="d", branch="b", commit="c", tree="t", partly=False)
    async with server.connection("cli") as connection:
        store = store_on(connection)
        outcomes = await asyncio.gather(
            *(append(store, f"i{n}", Position(), *([forbidden] if n == 7 else [])) for n in range(20)),
            return_exceptions=True,
        )
    assert isinstance(outcomes[7], Denied)
    assert all(isinstance(outcome, Position) for n, outcome in enumerate(outcomes) if n != 7)
    assert "i7" not in await stored(server)


async def test_an_event_over_the_limit_is_refused_before_anything_is_sent(server: LogServer) -> None:
    async with server.connection("cli") as connection:
        store = store_on(connection)
        large = Unblocked(reason="x" * 1_000_000)
        outcomes = await asyncio.gather(
            *(append(store, f"i{n}", Position(), *([large] if n == 3 else [])) for n in range(8)),
            return_exceptions=True,
        )
        assert isinstance(outcomes[3], ValueError)
        assert "the limit of an event" in str(outcomes[3])
        assert connection.stats["reconnects"] == 0
    assert sorted(await stored(server)) == [f"i{n}" for n in range(8) if n != 3]


async def test_appends_of_many_sizes_are_stored_whole_and_adjacent(server: LogServer) -> None:
    async with server.connection("cli") as connection:
        store = store_on(connection)
        facts = [
            tuple(Reprioritised(rank=r, reason="a test") for r in range(1 + n * 7 % 90)) for n in range(60)
        ]
        positions = await asyncio.gather(
            *(append(store, f"i{n}", Position(), *some) for n, some in enumerate(facts))
        )
    assert [position.version for position in positions] == [len(some) for some in facts]
    log = await stored(server)
    for n, position in enumerate(positions):
        own = log[position.stream_seq - position.version : position.stream_seq]
        assert own == [f"i{n}"] * position.version


async def test_large_appends_are_held_back_and_none_is_lost(server: LogServer) -> None:
    """Sixty times a megabyte: more than may be on its way at once."""
    async with server.connection("cli") as connection:
        store = store_on(connection)
        large = Unblocked(reason="x" * 900_000)
        await asyncio.gather(*(append(store, f"i{n}", Position(), large) for n in range(60)))
    assert sorted(await stored(server)) == sorted(f"i{n}" for n in range(60))


async def test_in_a_storm_of_conflicts_every_version_has_exactly_one_winner(server: LogServer) -> None:
    writers, versions = 64, 30
    wins: list[int] = []

    async def writer(store: JetStreamEventStore) -> None:
        position = Position()
        while position.version < versions:
            try:
                position = await append(store, "contested", position)
                wins.append(position.version)
            except Conflict as conflict:
                assert conflict.found is not None
                assert conflict.found.version > position.version
                position = conflict.found

    async with server.connection("cli") as one, server.connection("cli") as other:
        stores = [store_on(one), store_on(other)]
        await asyncio.gather(*(writer(stores[n % 2]) for n in range(writers)))
    assert sorted(wins) == list(range(1, max(wins) + 1))
    assert await stored(server) == ["contested"] * max(wins)


async def test_appends_that_were_given_up_leave_the_others_whole(server: LogServer) -> None:
    async with server.connection("cli") as connection:
        store = store_on(connection)
        tasks = [asyncio.ensure_future(append(store, f"i{n}", Position())) for n in range(30)]
        await asyncio.wait(tasks, timeout=0)
        for task in tasks[::3]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, Position) for n, outcome in enumerate(outcomes) if n % 3)
        await append(store, "after", Position())
    log = await stored(server)
    assert {f"i{n}" for n in range(30) if n % 3} | {"after"} <= set(log)
    assert len(log) == len(set(log))
