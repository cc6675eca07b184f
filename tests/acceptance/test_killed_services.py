"""Services and servers killed -9 at random while cycles run and others write: nothing lost, nothing twice."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import cast

import orjson
import pytest
from nats.aio.client import Client

from events.lease import LEASE_FACTS
from events.run import RUN, Failed, Requested, Started
from events.store import Recorded
from events.target import TARGET
from projections.queries import Views
from services.cli.ending import Exit
from services.cli.swarm.roles import SERVICES
from services.cycle.requesting import Asked, Wish, ask, locate
from services.cycle.settling import is_settled, states_of
from services.runtime.answering import copies
from services.runtime.ground import Ground, actor, stand
from services.runtime.log import Log
from services.runtime.role import workbench
from services.runtime.settings import load
from services.runtime.workbench import Workbench
from tests.acceptance.command import aps, improve
from tests.acceptance.killing import killing, swarm_on
from tests.acceptance.targets import content, fingerprint, repository
from tests.acceptance.watching import assert_nothing_claimed, assert_nothing_twice, events_of
from tests.log_writers import ACTOR, Writers

pytestmark = pytest.mark.slow

LEASE = 5
WRITERS = 2
REST_SECONDS = 1.0
CYCLE_SECONDS = 400.0
PATIENCE = 60.0
# A role that is killed while an engine works leaves the call without an end; what is not done is tried again.
TRIED = {(RUN.name, fact.name) for fact in (Requested, Started, Failed)}
LEASES = {fact.name for fact in LEASE_FACTS}

figures = logging.getLogger("figures")  # shown by: pytest -o log_cli=true --log-cli-level=INFO


@asynccontextmanager
async def writing(ground: Ground) -> AsyncIterator[Writers]:
    """Writers at work for the block, on connections as commands have them."""
    async with AsyncExitStack() as stack:
        connections = []
        for _ in range(WRITERS):
            connection, _book = await stack.enter_async_context(ground.log("cli"))
            connections.append(connection)
        writers = Writers(connections, REST_SECONDS)
        writers.start()
        try:
            await writers.each_goes_on()
            yield writers
            await writers.each_goes_on()
        finally:
            await writers.stop()


async def cycle(book: Log, bench: Workbench, root: Path) -> dict[str, str]:
    """Ask for a cycle that others run, and return every status once it is over."""
    place = await locate(str(root), bench.workspace, bench.sandbox)
    head = await book.store.head()
    asked = await ask(book, place, Wish(str(root)), actor("cli"))
    async with asyncio.timeout(CYCLE_SECONDS), live(book, head) as events:
        async for event in events:
            if of_services(event) and await is_over(book, asked):
                break
    scan = (await book.state(TARGET, place.id)).scans[asked.scan]
    states = await states_of(book, scan)
    return {s.discovered.rule: s.status.value for s in states.values() if s.discovered and s.status}


def live(book: Log, after: int) -> aclosing[AsyncGenerator[Recorded, None]]:
    """Follow the log for a block."""
    return aclosing(cast("AsyncGenerator[Recorded, None]", book.store.live(after)))


async def is_over(book: Log, asked: Asked) -> bool:
    target = await book.state(TARGET, asked.place.id)
    return await is_settled(book, target, target.scans[asked.scan])


async def all_answer(connection: Client) -> None:
    """Wait until each service answers again."""
    async with asyncio.timeout(PATIENCE):
        while not set(await copies(connection)) >= set(SERVICES):  # noqa: ASYNC110 -- nobody tells who is back
            await asyncio.sleep(0.1)


async def journal_of(ground: Ground, book: Log) -> list[int]:
    """Wait until the views are at the head of the log; return what they were made from."""
    async with ground.pool(1, 2) as pool:
        await Views(pool).wait_until(await book.store.head(), PATIENCE)
        return list(await pool.fetchval("select array_agg(seq order by seq) from aps.journal"))


def done(events: Sequence[Recorded], times: int = 1) -> dict[tuple[str, str], int]:
    """How often each thing was done by services; attempts, and who held the work, are left out."""
    facts = Counter(_kind(event) for event in events if of_services(event))
    return {
        kind: count * times for kind, count in facts.items() if kind not in TRIED and kind[1] not in LEASES
    }


def _kind(event: Recorded) -> tuple[str, str]:
    address = event.envelope.address
    return address.aggregate, address.fact


def of_services(event: Recorded) -> bool:
    return not event.envelope.actor.startswith(ACTOR)


@pytest.mark.parametrize(
    "seconds", [30, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(1500)])]
)
async def test_whatever_is_killed_nothing_is_lost_and_nothing_done_twice(
    ground: Path, fresh_home: Callable[[str], Path], seconds: int
) -> None:
    name = f"killed-{seconds}"
    calm, whole = fresh_home(f"calm-{seconds}"), repository(ground / "targets" / f"calm-{seconds}" / "tiny")
    undisturbed = await asyncio.to_thread(improve, calm, whole)
    home = fresh_home(name)
    settings = load({"APS_HOME": str(home), "APS_LEASE_SECONDS": str(LEASE)})
    chance = Random(seconds)  # noqa: S311 -- of moments, not of secrets
    roots: list[Path] = []
    async with stand(settings) as base, base.log("cli") as (connection, book):
        bench = await workbench("cli", settings, book)
        async with swarm_on(home, APS_LEASE_SECONDS=str(LEASE)) as swarm:
            async with (
                writing(base) as writers,
                killing(swarm, seconds, chance, writers.next_append, lambda: writers.read_back > 0) as kills,
            ):
                while not kills.done():
                    roots.append(repository(ground / "targets" / f"{name}-{len(roots)}" / "tiny"))
                    before = fingerprint(roots[-1])
                    assert await cycle(book, bench, roots[-1]) == undisturbed.statuses
                    assert fingerprint(roots[-1]) == before
            await all_answer(connection)
            journal = await journal_of(base, book)
        events = [event async for event in book.store.read_all()]
    told = {"seed": seconds, "cycles": len(roots), "events": len(events), **writers.figures()}
    figures.info("%s; kills: %s; gave up: %s", told, dict(swarm.kills), swarm.gave_up)
    assert [one for one in swarm.gave_up if one.code != Exit.UNAVAILABLE] == []
    writers.assert_kept(events)
    assert writers.broken() == []
    assert [content(root) for root in roots] == [content(whole)] * len(roots)
    assert done(events) == done(await events_of(calm), len(roots))
    assert_nothing_twice([event for event in events if of_services(event)])
    assert_nothing_claimed(events, timedelta(seconds=LEASE))
    assert journal == [event.seq for event in events][: len(journal)]
    assert set(swarm.codes.values()) == {0}, swarm.codes
    await asyncio.to_thread(assert_proved, home, len(events))


def assert_proved(home: Path, count: int) -> None:
    """What commands say: the log holds, all views equal those built from nothing, nothing is left over."""
    verified = aps(home, "events", "verify")
    assert verified.code == 0, verified.err
    replayed = aps(home, "replay", "--check", "--json")
    compared = orjson.loads(replayed.out)
    assert compared["differences"][:3] == [], replayed.err
    assert (replayed.code, compared["events"]) == (0, count)
    assert compared["rows"] > count / 2
    assert "no dead letters" in aps(home, "dead", "list").out
