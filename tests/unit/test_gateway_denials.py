"""What is told of denials: each on its token and under its own name, a flood as its number, all of it."""

from __future__ import annotations

import asyncio

from events.access import ACCESS, NOBODY, Denied
from events.memory import InMemoryEventStore
from services.gateway.denials import MOST_KINDS, Denials
from services.runtime.ending import end
from services.runtime.log import Log
from tests.asking_example import Time
from tests.away_store import AwayStore, log_of

TOKEN = "5f3a1c2b4d6e"
HERE = "192.0.2.7"


async def tell(
    denials: Denials,
    id: str = "",
    why: str = "no token",
    *,
    route: str = "/api/tasks",
    path: str = "",
    address: str = HERE,
    times: int = 1,
) -> None:
    for _ in range(times):
        denied = Denied(what=f"GET {path or route}", why=why, address=address)
        await denials.count(id, f"GET {route}", denied)


async def told(book: Log) -> list[tuple[str, Denied]]:
    return [
        (one.envelope.address.id, Denied.model_validate(one.envelope.data))
        async for one in book.store.read_all()
        if one.envelope.address.fact == Denied.name
    ]


async def test_a_flood_is_two_events_with_its_whole_number() -> None:
    book = log_of(InMemoryEventStore(Time()))
    denials = Denials(book)
    await tell(denials, times=1000)
    assert [fact.times for _, fact in await told(book)] == [1]
    await denials.flush()
    assert [fact.times for _, fact in await told(book)] == [1, 999]
    assert (await book.state(ACCESS, NOBODY)).denied == 1000


async def test_what_was_counted_is_told_of_what_it_was_and_on_its_own_token() -> None:
    book = log_of(InMemoryEventStore(Time()))
    denials = Denials(book)
    await tell(denials, times=5)
    await tell(denials, TOKEN, "the token was revoked", route="/ai/settings", times=3)
    await denials.flush()
    facts = [(id, fact.what, fact.why, fact.times) for id, fact in await told(book)]
    assert facts == [
        (NOBODY, "GET /api/tasks", "no token", 1),
        (TOKEN, "GET /ai/settings", "the token was revoked", 1),
        (NOBODY, "GET /api/tasks", "no token", 4),
        (TOKEN, "GET /ai/settings", "the token was revoked", 2),
    ]
    assert (await book.state(ACCESS, TOKEN)).denied == 3


async def test_paths_of_one_route_are_told_together_under_the_route() -> None:
    book = log_of(InMemoryEventStore(Time()))
    denials = Denials(book)
    for number in range(4):
        path = f"/api/improvements/imp-{number}"
        await tell(denials, route="/api/improvements/{id}", path=path)
    await denials.flush()
    facts = [(fact.what, fact.times) for _, fact in await told(book)]
    assert facts == [("GET /api/improvements/imp-0", 1), ("GET /api/improvements/{id}", 3)]


async def test_however_many_addresses_there_are_the_events_are_few_and_nothing_is_lost() -> None:
    book = log_of(InMemoryEventStore(Time()))
    denials = Denials(book)
    for number in range(4000):
        await tell(denials, address=f"198.51.{number // 250}.{number % 250}")
    await tell(denials, TOKEN, "the token was revoked")
    await denials.flush()
    assert len(await told(book)) <= 2 * MOST_KINDS
    assert (await book.state(ACCESS, NOBODY)).denied == 4000
    assert (await book.state(ACCESS, TOKEN)).denied == 1


async def test_the_addresses_of_one_machine_are_one_sender() -> None:
    book = log_of(InMemoryEventStore(Time()))
    denials = Denials(book)
    for number in range(1, 4):
        await tell(denials, address=f"2001:db8::{number}")
    await denials.flush()
    facts = [(fact.address, fact.times) for _, fact in await told(book)]
    assert facts == [("2001:db8::1", 1), ("2001:db8::/64", 2)]


async def test_after_a_quiet_while_the_first_is_recorded_at_once_again() -> None:
    book = log_of(InMemoryEventStore(Time()))
    denials = Denials(book)
    await tell(denials)
    await denials.flush()
    await tell(denials)
    assert [fact.times for _, fact in await told(book)] == [1, 1]


async def test_what_was_counted_is_recorded_when_the_gateway_ends() -> None:
    book = log_of(InMemoryEventStore(Time()))
    denials = Denials(book)
    running = asyncio.create_task(denials.run())
    await asyncio.sleep(0)  # it has begun
    await tell(denials, times=3)
    await end(running)
    assert (await book.state(ACCESS, NOBODY)).denied == 3


async def test_what_is_denied_while_the_log_is_away_is_told_when_it_is_back() -> None:
    store = AwayStore(Time())
    book = log_of(store)
    denials = Denials(book)
    store.away = True
    await tell(denials, times=5)
    store.away = False
    await denials.flush()
    assert [fact.times for _, fact in await told(book)] == [5]
