"""One trace leads from a request at the API through every service and engine call to the deployment."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from events.envelope import Cause
from events.target import TARGET, Registered
from schemas.access import Role
from services.access.tokens import grant
from services.cli.swarm.running import SERVICES, swarm
from services.gateway.listening import port_to_use, url_of
from services.runtime.ground import Ground, stand
from services.runtime.log import Log
from services.runtime.settings import load
from services.runtime.spans import Spans
from services.runtime.tracing import record_with
from tests.acceptance.conftest import Repositories
from tests.acceptance.swarm_script import SwarmApi
from tests.acceptance.test_request import PLAN, RIGHT, WISH, draft, wanted
from tests.acceptance.watching import DEADLINE

pytestmark = pytest.mark.slow

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT = f"00-{TRACE}-00f067aa0ba902b7-01"
ALL = {f"aps-{name}" for name in SERVICES if name != "projector"}


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    record_with(Spans(SimpleSpanProcessor(exporter), "test"))
    yield exporter
    record_with(None)


@asynccontextmanager
async def everything(home: Path, api: SwarmApi) -> AsyncIterator[tuple[Ground, Log]]:
    """All eight services in this process, with an engine, on a data folder."""
    settings = load({"APS_HOME": str(home), "APS_PORT": "0", **api.settings})
    settings = settings.model_copy(update={"port": port_to_use(settings)})
    async with stand(settings) as ground, ground.log("cli") as (_, book), swarm(ground, SERVICES):
        yield ground, book


async def asked(ground: Ground, book: Log, target: str) -> None:
    """Ask over HTTP, as a program that traces itself."""
    cause = Cause("cli@test", "aps/cli", str(uuid4()))
    token = await grant(book, "a program", Role.OPERATOR, cause)
    headers = {"Authorization": f"Bearer {token.text}", "traceparent": SENT}
    body = {"target": target, "text": WISH}
    async with aiohttp.ClientSession(headers=headers) as session:
        while True:
            try:
                answer = await session.post(f"{url_of(ground.settings)}/api/improvements", json=body)
            except aiohttp.ClientConnectionError:
                await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0.1))})
                continue
            assert answer.status == 202, await answer.text()
            return


def ids(one: ReadableSpan) -> tuple[int, int]:
    assert one.context is not None
    return one.context.trace_id, one.context.span_id


async def test_a_request_is_one_trace_from_the_api_to_the_deployment(
    fresh_home: Callable[[str], Path], target: Repositories, exported: InMemorySpanExporter
) -> None:
    home, repository = fresh_home("traced"), target(name="-traced")
    api = SwarmApi(wanted(), PLAN, [draft(RIGHT)])
    async with asyncio.timeout(DEADLINE), api.serving(), everything(home, api) as (ground, book):
        registered = Registered(path=str(repository), title="tiny", origin="")
        await book.record(TARGET, "tiny", registered, cause=Cause("cli@test", "aps/cli", str(uuid4())))
        await asked(ground, book, "tiny")
        async with aclosing(book.store.live()) as events:
            measured = await anext(e async for e in events if e.envelope.address.fact == "benefit_measured")
        logged = [event async for event in book.store.read_all() if event.seq <= measured.seq]
    begun = next(event.seq for event in logged if event.envelope.address.fact == "scan_requested")
    chain = [e.envelope for e in logged if e.seq >= begun and e.envelope.address.aggregate != "access"]
    assert {envelope.traceparent.split("-")[1] for envelope in chain} == {TRACE}
    spans = [one for one in exported.get_finished_spans() if f"{ids(one)[0]:032x}" == TRACE]
    assert {one.resource.attributes["service.name"] for one in spans} >= ALL
    assert any(one.name.startswith("ask claude_code: ") for one in spans)
    known = {ids(one)[1] for one in spans}
    outside = [one.name for one in spans if one.parent is None or one.parent.span_id not in known]
    assert outside == ["POST /api/improvements"]
