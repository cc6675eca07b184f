"""What web hooks refuse: the first of its kind is recorded at once, a flood as its number, all of it."""

from events.delivery import DELIVERY, Refused
from events.memory import InMemoryEventStore
from schemas.delivery import Source
from services.gateway.webhooks.refusals import Refusals
from tests.asking_example import Time
from tests.away_store import AwayStore, log_of
from tests.webhook_deliveries import deliveries


async def tell(refusals: Refusals, why: str = "it is not signed", times: int = 1, key: str = "one") -> None:
    for _ in range(times):
        await refusals.tell(Source.GITHUB, why, "192.0.2.7", "push", key)


async def test_a_flood_is_two_events_with_its_whole_number() -> None:
    book = log_of(InMemoryEventStore(Time()))
    refusals = Refusals(book)
    await tell(refusals, times=1000)
    assert [one["times"] for one in await deliveries(book)] == [1]
    await refusals.flush()
    assert [one["times"] for one in await deliveries(book)] == [1, 999]
    assert (await book.state(DELIVERY, f"refused-github-{Time().now:%Y%m%d}")).refused == 1000


async def test_after_a_quiet_while_the_first_is_recorded_at_once_again() -> None:
    book = log_of(InMemoryEventStore(Time()))
    refusals = Refusals(book)
    await tell(refusals)
    await refusals.flush()
    await tell(refusals)
    assert [one["times"] for one in await deliveries(book)] == [1, 1]


async def test_another_reason_is_another_event() -> None:
    book = log_of(InMemoryEventStore(Time()))
    refusals = Refusals(book)
    await tell(refusals)
    await tell(refusals, "it is larger than what is taken")
    assert len(await deliveries(book)) == 2


async def test_what_a_stranger_sent_is_recorded_short_and_plain() -> None:
    book = log_of(InMemoryEventStore(Time()))
    await tell(Refusals(book), key="\x1b[31m\u202e" + "x" * 5000)
    (one,) = await deliveries(book)
    assert one["key"].startswith("?[31m?x")
    assert len(one["key"]) == 100


async def test_while_the_log_is_away_it_is_counted_and_recorded_later() -> None:
    store = AwayStore(Time())
    book, store.away = log_of(store), True
    refusals = Refusals(book)
    await tell(refusals, times=3)
    await refusals.flush()
    store.away = False
    await refusals.flush()
    (one,) = await deliveries(book)
    assert Refused.model_validate({k: v for k, v in one.items() if k not in ("fact", "id")}).times == 3
