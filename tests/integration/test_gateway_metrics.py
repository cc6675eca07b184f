"""Metrics over HTTP on real servers: what is told, what is taken from outside, and that it counts once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from nats.aio.client import Client
from prometheus_client.parser import text_string_to_metric_families

from events.improvement_facts import Abandoned
from schemas.access import Role
from services.access.tokens import Token
from services.gateway.metering.custom import Kept, Measurement
from services.gateway.metering.families import MEANING
from services.gateway.metering.sending import Sending
from services.runtime.ground import Ground
from tests import projection_facts as f
from tests.gateway_place import PATIENCE, Place, Said, ground_at, open_place, serving
from tests.log_server import LogServer
from tests.projection_facts import CYCLE, tell

CUSTOM = "/api/metrics/custom"
ONE: dict[str, Any] = {"name": "build_seconds", "value": "1.5", "unit": "s", "labels": {"branch": "main"}}


@pytest.fixture
async def ground(server: LogServer, database: str, tmp_path: Path, free_port: int) -> Ground:
    return ground_at(server, database, tmp_path, free_port)


@pytest.fixture
async def place(ground: Ground) -> AsyncIterator[Place]:
    async with open_place(ground) as opened:
        yield opened


@pytest.fixture
async def connection(ground: Ground) -> AsyncIterator[Client]:
    client = await ground.connect("gateway")
    yield client
    await client.close()


async def counted(place: Place, count: int) -> dict[str, Any]:
    """Wait until the first series has so many measurements; return it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            items = (await place.ask("GET", CUSTOM, Role.VIEWER)).json["items"]
            if items and items[0]["count"] >= count:
                return dict(items[0])
            await asyncio.wait({asyncio.ensure_future(place.seen())}, timeout=0.05)


def samples(said: Said) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    assert said.status == 200, said.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(said.text)
        for sample in family.samples
    }


def of(family: str, /, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return family, frozenset(labels.items())


async def told(place: Place) -> int:
    async with place.ground.log("admin") as (_, everybody):
        await tell(everybody.store, CYCLE)
    return await place.seen()


async def test_a_scrape_tells_the_state_of_everything(place: Place) -> None:
    head = await told(place)
    found = samples(await place.ask("GET", "/metrics", Role.VIEWER))
    assert {name.removesuffix("_total") for name, _ in found} <= set(MEANING)
    assert found[of("aps_log_head")] == found[of("aps_views_position")] == head
    assert found[of("aps_views_lag")] == found[of("aps_dead_letters", state="open")] == 0
    assert found[of("aps_improvements", target="toolz", status="deployment_complete")] == 1
    assert found[of("aps_queue_pending", role="pm")] > 0
    assert found[of("aps_outcomes_total", target="toolz", outcome="landed")] == 1
    assert found[of("aps_suite_runs_total", target="toolz")] == 3
    assert found[of("aps_acceptance_ratio", target="toolz")] == 1
    assert found[of("aps_component_state", component="nats", state="ok")] == 1
    assert found[of("aps_component_state", component="qa", state="failed")] == 1
    engine = {"engine": "deterministic", "model": "", "outcome": "completed", "billing": "free"}
    assert found[of("aps_engine_calls_total", **engine)] == 1
    assert found[of("aps_engine_tokens_total", kind="in", **engine)] == 10
    assert {value for (name, _), value in found.items() if name == "aps_source_up"} == {1}


async def test_requests_are_counted_by_route_and_status_and_never_by_address(place: Place) -> None:
    for path in ("/api/improvements/one", "/api/improvements/two", "/nowhere/at-all"):
        assert (await place.ask("GET", path, Role.VIEWER)).status == 404
    found = samples(await place.ask("GET", "/metrics", Role.VIEWER))
    route = {"method": "GET", "route": "/api/improvements/{id}", "status": "404"}
    assert found[of("aps_http_requests_total", **route)] == 2
    assert found[of("aps_http_requests_total", method="other", route="none", status="404")] == 1
    assert not [labels for _, labels in found if "nowhere" in str(labels)]


ACCEPTED = {
    "": "application/json",
    "*/*": "application/json",
    "application/json, text/plain": "application/json",
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1": "text/plain",
    "application/openmetrics-text;version=nonsense": "text/plain",
}


async def test_metrics_come_as_accept_asks(place: Place) -> None:
    for accept, kind in ACCEPTED.items():
        said = await place.ask("GET", "/api/metrics", Role.VIEWER, headers={"Accept": accept})
        assert (said.status, said.headers["Content-Type"].partition(";")[0]) == (200, kind), accept
    said = await place.ask("GET", "/api/metrics", Role.VIEWER)
    assert {one["name"] for one in said.json["families"]} == set(MEANING)


async def test_outcomes_are_told_as_of_any_event(place: Place) -> None:
    head = await told(place)
    path = "/api/metrics/outcomes"
    (now,) = (await place.ask("GET", path, Role.VIEWER)).json["items"]
    assert (now["landed"], now["acceptance"], now["suite_runs"]) == (1, 1.0, 3)
    before = (await place.ask("GET", f"{path}?at={head - 1}&range=24h", Role.VIEWER)).json
    assert (before["position"], before["items"][0]["landed"]) == (head - 1, 0)
    for wrong, status in (
        ("at=nonsense", 422),
        (f"at={head + 9}", 404),
        ("range=1y", 422),
        ("by=x", 422),
        ("target=%00", 422),
    ):
        assert (await place.ask("GET", f"{path}?{wrong}", Role.VIEWER)).status == status


async def test_what_is_sent_is_summed_and_told_everywhere(place: Place) -> None:
    said = await place.ask("POST", CUSTOM, Role.AGENT, ONE)
    assert (said.status, said.json["measurements"]) == (202, 1)
    batch = {"measurements": [{**ONE, "value": "0.25"}, {**ONE, "value": -2}]}
    assert (await place.ask("POST", CUSTOM, Role.OPERATOR, batch)).status == 202
    row = await counted(place, 3)
    assert {key: row[key] for key in ("name", "unit", "labels", "count", "sum", "min", "max", "last")} == {
        "name": "build_seconds",
        "unit": "s",
        "labels": {"branch": "main"},
        "count": 3,
        "sum": "-0.25",
        "min": "-2",
        "max": "1.5",
        "last": "-2",
    }
    found = samples(await place.ask("GET", "/metrics", Role.VIEWER))
    assert found[of("aps_custom_sum", name="build_seconds", unit="s", branch="main")] == -0.25
    page = await place.ask("GET", "/ai/metrics?range=1h&metric=build_seconds", Role.VIEWER)
    assert "branch=main" in page.text


async def test_one_wrong_measurement_keeps_out_the_whole_batch(place: Place) -> None:
    old = (datetime.now(UTC) - timedelta(days=99)).isoformat()
    for wrong in ({"value": 1.5}, {"labels": {"a": "\u202e"}}, {"time": old}, {"more": 1}):
        said = await place.ask("POST", CUSTOM, Role.AGENT, {"measurements": [ONE, {**ONE, **wrong}]})
        assert said.status == 422, said.text
        assert any("measurements.1" in error for error in said.json["errors"]), said.text
    huge = {"measurements": [ONE] * 501}
    assert (await place.ask("POST", CUSTOM, Role.AGENT, huge)).status == 422
    for raw in ("NaN", '{"name": "a", "value": NaN}', "[1", '{"name": "a", "value": 1' + "0" * 400 + "}"):
        sent = await place.session.post(
            f"{place.url}{CUSTOM}",
            data=raw,
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {place.tokens[Role.AGENT].text}",
            },
        )
        assert sent.status in (400, 422), (raw, await sent.text())
    assert (await place.ask("GET", CUSTOM, Role.VIEWER)).json["items"] == []


async def test_a_request_sent_again_counts_once(place: Place) -> None:
    key = {"Idempotency-Key": "build 7"}
    first = await place.ask("POST", CUSTOM, Role.AGENT, ONE, key)
    again = await place.ask("POST", CUSTOM, Role.AGENT, ONE, key)
    assert (first.json, first.status) == (again.json, again.status)
    other = await place.ask("POST", CUSTOM, Role.AGENT, {**ONE, "value": 9}, key)
    assert other.status == 422
    assert "Idempotency-Key" in other.json["detail"]
    assert (await place.ask("POST", CUSTOM, Role.OPERATOR, ONE, key)).status == 202
    assert (await counted(place, 2))["count"] == 2


async def test_a_restart_loses_nothing_and_counts_nothing_twice(ground: Ground, connection: Client) -> None:
    async with open_place(ground) as place:
        assert (await place.ask("POST", CUSTOM, Role.AGENT, ONE)).status == 202
        await counted(place, 1)
    came = Kept(at=datetime.now(UTC), by="t", measurements=(Measurement.model_validate(ONE),))
    await Sending(connection).put("while-no-gateway-ran", came)
    async with open_place(ground) as place:
        assert (await counted(place, 2))["count"] == 2
    async with open_place(ground) as place:
        assert (await counted(place, 2))["count"] == 2


async def test_the_page_shows_a_cycle_with_its_deployment(place: Place) -> None:
    head = await told(place)
    async with place.ground.log("admin") as (_, everybody):
        await tell(
            everybody.store,
            [
                ("improvement", "imp-2", f.discovered(2, target="<b>toolz</b>")),
                ("improvement", "imp-2", Abandoned(reason="not wanted")),
            ],
        )
    await place.seen()
    cookie = await entered(place)
    said = await place.ask("GET", "/ai/metrics?range=24h", headers=cookie)
    assert said.status == 200, said.text
    assert figure(said.text, "Landed") == figure(said.text, "Refused") == "1"
    assert figure(said.text, "Acceptance") == "50 %"
    assert figure(said.text, "Suite runs") == "3"
    assert said.text.count('role="img"') == said.text.count("<details") == 4
    assert 'class="mark"' in said.text
    assert "Nothing had to be taken back in this time." in said.text
    assert "<style" not in said.text and " style=" not in said.text and "<b>toolz" not in said.text
    then = await place.ask("GET", f"/ai/metrics?range=all&at={head}", headers=cookie)
    assert figure(then.text, "Acceptance") == "100 %"
    one = await place.ask("GET", f"/ai/metrics?{urlencode({'target': '<b>toolz</b>'})}", headers=cookie)
    assert (figure(one.text, "Landed"), figure(one.text, "Refused")) == ("0", "1")


async def test_an_empty_page_says_why(place: Place) -> None:
    said = await place.ask("GET", "/ai/metrics?metric=none_such", Role.VIEWER)
    assert said.status == 200
    assert "No improvement landed in this time." in said.text
    assert "Nothing was sent under this name in this time." in said.text
    assert "<svg" not in said.text


async def entered(place: Place) -> dict[str, str]:
    sent = urlencode({"token": place.tokens[Role.VIEWER].text, "then": "/"})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await place.session.post(f"{place.url}/enter", data=sent, headers=form, allow_redirects=False)
    return {"Cookie": f"aps_session={answer.cookies['aps_session'].value}"}


def figure(text: str, name: str) -> str:
    found = re.search(rf"<dt>{name}</dt><dd>([^<]*)</dd>", text)
    assert found is not None, name
    return found[1].strip()


@asynccontextmanager
async def client(url: str, token: Token) -> AsyncIterator[aiohttp.ClientSession]:
    own = {"Authorization": f"Bearer {token.text}"}
    async with aiohttp.ClientSession(url, headers=own) as session:
        yield session


async def test_measures_go_on_while_the_database_is_away(ground: Ground) -> None:
    async with open_place(ground) as place:
        viewer = place.tokens[Role.VIEWER]
    away = Ground(ground.settings, ground.nats_url, "postgresql://nobody@127.0.0.1:1/none")
    async with serving(away) as url, client(url, viewer) as session, session.get("/metrics") as answer:
        text = await answer.text()
        assert answer.status == 200, text
    assert 'aps_source_up{source="work"} 0.0' in text
    assert 'aps_source_up{source="queues"} 1.0' in text
    assert "aps_queue_pending" in text


@pytest.mark.slow
async def test_while_nats_is_away_its_measures_are_missing_and_nothing_is_taken(
    ground: Ground, server: LogServer
) -> None:
    async with open_place(ground) as place:
        admin = place.tokens[Role.ADMIN]
    async with serving(ground) as url, client(url, admin) as session:
        async with session.post(CUSTOM, json=ONE) as taken:
            assert taken.status == 202
        server.kill()
        try:
            async with session.get("/metrics") as answer:
                text = await answer.text()
            async with session.post(CUSTOM, json=ONE) as refused:
                assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
        finally:
            server.start()
        status = 503
        async with asyncio.timeout(PATIENCE):
            while status == 503:
                async with session.post(CUSTOM, json=ONE) as answer:
                    status = answer.status
    assert status == 202
    assert 'aps_source_up{source="queues"} 0.0' in text
    assert 'aps_source_up{source="http"} 1.0' in text
    async with open_place(ground) as place:
        assert (await counted(place, 2))["count"] == 2
