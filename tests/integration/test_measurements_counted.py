"""Measurements from outside on real servers: each is stored once and counted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client

from events.rights import USERS
from services.gateway.metering.counting import Counting
from services.gateway.metering.custom import Kept, Measurement
from services.gateway.metering.kept import MOST_SERIES, KeptTallies, Overtaken, Reached
from services.gateway.metering.sending import AnotherRequest, Sending
from services.gateway.metering.tally import Tallies, tallied
from services.runtime.ground import Ground
from tests.gateway_place import ground_at
from tests.log_server import LogServer


@pytest.fixture
async def ground(server: LogServer, database: str, tmp_path: Path, free_port: int) -> Ground:
    return ground_at(server, database, tmp_path, free_port)


@pytest.fixture
async def connection(ground: Ground) -> AsyncIterator[Client]:
    client = await ground.connect("gateway")
    yield client
    await client.close()


@pytest.fixture
async def kept(ground: Ground) -> AsyncIterator[KeptTallies]:
    async with ground.pool(1, 4, 10) as pool:
        tallies = KeptTallies(pool)
        await tallies.prepare()
        yield tallies


async def test_two_gateways_count_each_measurement_once(kept: KeptTallies, connection: Client) -> None:
    sending, one, other = Sending(connection), Counting(connection, kept), Counting(connection, kept)
    for number in range(300):
        made = Measurement(name="a", value=number)
        await sending.put(f"n{number}", Kept(at=datetime.now(UTC), by="t", measurements=(made,)))
    while any(await asyncio.gather(one.count_page(), other.count_page())):
        pass
    ((_, tally),) = await kept.series()
    assert (tally.count, int(tally.sum)) == (300, sum(range(300)))


async def test_what_was_counted_is_not_added_again(kept: KeptTallies) -> None:
    now = datetime.now(UTC)
    tallies = tallied([Kept(at=now, by="t", measurements=(Measurement(name="a", value=1),))])
    await kept.add(Reached(), Reached("s", 5), tallies, now)
    with pytest.raises(Overtaken):
        await kept.add(Reached(), Reached("s", 5), tallies, now)
    ((_, tally),) = await kept.series()
    assert tally.count == 1
    assert (await kept.reached()).seq == 5


async def test_a_stream_made_anew_is_counted_without_what_was_put_back(
    kept: KeptTallies, connection: Client, server: LogServer
) -> None:
    sending, counting = Sending(connection), Counting(connection, kept)
    before, after = one_at(datetime.now(UTC)), one_at(datetime.now(UTC) + timedelta(seconds=1))
    await sending.put("before", before)
    assert await counting.count_page()
    await server.wipe()
    await sending.put("before", before)
    assert await counting.count_page()
    await sending.put("after", after)
    assert await counting.count_page()
    ((_, tally),) = await kept.series()
    assert (tally.count, tally.last_at) == (2, after.at)


async def test_an_empty_database_is_counted_anew_from_the_stream(
    kept: KeptTallies, connection: Client, ground: Ground
) -> None:
    await Sending(connection).put("one", one_at(datetime.now(UTC)))
    assert await Counting(connection, kept).count_page()
    async with ground.pool(1, 1, 10) as pool:
        await pool.execute("drop schema aps_telemetry cascade")
    await kept.prepare()
    assert await Counting(connection, kept).count_page()
    ((_, tally),) = await kept.series()
    assert tally.count == 1


def one_at(time: datetime) -> Kept:
    return Kept(at=time, by="t", measurements=(Measurement(name="a", value=1),))


async def test_there_is_an_end_to_series(kept: KeptTallies) -> None:
    now = datetime.now(UTC)
    made = tuple(Measurement(name="a", value=1, labels={"l": str(n)}) for n in range(MOST_SERIES + 3))
    await kept.add(Reached(), Reached("s", 1), _of(made, now), now)
    assert len(await kept.series()) == MOST_SERIES
    await kept.add(Reached("s", 1), Reached("s", 2), _of(made[:1], now), now)
    assert (await kept.reached()).left_out == 3


def _of(made: tuple[Measurement, ...], now: datetime) -> Tallies:
    return tallied([Kept(at=now, by="t", measurements=made)])


async def test_what_is_no_measurement_is_left_out_and_the_rest_counts(
    kept: KeptTallies, connection: Client
) -> None:
    await connection.jetstream().publish("aps.telemetry.custom.strange", b"{}")
    came = Kept(at=datetime.now(UTC), by="t", measurements=(Measurement(name="a", value=1),))
    await Sending(connection).put("good", came)
    assert await Counting(connection, kept).count_page()
    assert ((await kept.reached()).left_out, len(await kept.series())) == (1, 1)


async def test_a_name_holds_one_request(connection: Client, ground: Ground) -> None:
    now, sending = datetime.now(UTC), Sending(connection)
    one, other = (Kept(at=now, by="t", measurements=(Measurement(name="a", value=n),)) for n in (1, 2))
    assert await sending.put("x", one) == await sending.put("x", one) == 1
    with pytest.raises(AnotherRequest):
        await sending.put("x", other)


@pytest.mark.parametrize("user", [user for user in USERS if user != "admin"])
async def test_the_gateway_alone_writes_measurements(server: LogServer, user: str) -> None:
    errors: list[str] = []
    async with server.connection(user, errors) as connection:
        await connection.publish("aps.telemetry.custom.x", b"{}")
        await connection.request("$JS.API.INFO", b"", timeout=5)
    assert any("aps.telemetry.custom.x" in error for error in errors) == (user != "gateway")
