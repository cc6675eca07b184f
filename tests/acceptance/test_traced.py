"""One trace leads from the API or a web hook through every service and engine call to the deployment."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import orjson
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from events.envelope import Cause, Envelope
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
from tests.acceptance.targets import git
from tests.acceptance.test_request import PLAN, RIGHT, WISH, draft, wanted
from tests.acceptance.watching import DEADLINE
from tests.webhook_deliveries import GITHUB, PRESENT, by_github, examples

pytestmark = pytest.mark.slow

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT = f"00-{TRACE}-00f067aa0ba902b7-01"
JSON = {"Content-Type": "application/json"}
SECRETS = {"SECRET_KEY_BASE": "k" * 48, "GITHUB_WEBHOOK_SECRET": PRESENT}
ALL = {f"aps-{name}" for name in SERVICES if name != "projector"}


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    record_with(Spans(SimpleSpanProcessor(exporter), "test"))
    yield exporter
    record_with(None)


@asynccontextmanager
async def everything(home: Path, api: SwarmApi, **more: str) -> AsyncIterator[tuple[Ground, Log]]:
    """All eight services in this process, with an engine, on a data folder."""
    settings = load({"APS_HOME": str(home), "APS_PORT": "0", **api.settings, **more})
    settings = settings.model_copy(update={"port": port_to_use(settings)})
    async with stand(settings) as ground, ground.log("cli") as (_, book), swarm(ground, SERVICES):
        yield ground, book


async def posted(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Send a body as soon as the gateway listens."""
    async with aiohttp.ClientSession(headers=headers) as session:
        while True:
            try:
                answer = await session.post(url, data=body)
            except aiohttp.ClientConnectionError:
                await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0.1))})
                continue
            assert answer.status == 202, await answer.text()
            return


async def landed(book: Log) -> list[Envelope]:
    """Return what was recorded until the first change's benefit was measured."""
    async with aclosing(book.store.live()) as events:
        measured = await anext(e async for e in events if e.envelope.address.fact == "benefit_measured")
    return [event.envelope async for event in book.store.read_all() if event.seq <= measured.seq]


def begins(log: list[Envelope], fact: str) -> list[Envelope]:
    """Return what was recorded from the first `fact` on, but who was let in."""
    first = next(n for n, one in enumerate(log) if one.address.fact == fact)
    return [one for one in log[first:] if one.address.aggregate != "access"]


def assert_one_trace(exported: InMemorySpanExporter, chain: list[Envelope], root: str) -> None:
    """Every event and every service is in it, and but for `root` each span has its parent there."""
    (trace,) = {envelope.traceparent.split("-")[1] for envelope in chain}
    spans = [one for one in exported.get_finished_spans() if f"{ids(one)[0]:032x}" == trace]
    assert {one.resource.attributes["service.name"] for one in spans} >= ALL
    assert any(one.name.startswith("ask claude_code: ") for one in spans)
    known = {ids(one)[1] for one in spans}
    outside = [one.name for one in spans if one.parent is None or one.parent.span_id not in known]
    assert outside == [root]


def ids(one: ReadableSpan) -> tuple[int, int]:
    assert one.context is not None
    return one.context.trace_id, one.context.span_id


async def registered(book: Log, repository: Path) -> None:
    fact = Registered(path=str(repository), title="tiny", origin="")
    await book.record(TARGET, "tiny", fact, cause=Cause("cli@test", "aps/cli", str(uuid4())))


async def test_a_request_is_one_trace_from_the_api_to_the_deployment(
    fresh_home: Callable[[str], Path], target: Repositories, exported: InMemorySpanExporter
) -> None:
    home, repository = fresh_home("traced"), target(name="-traced")
    api = SwarmApi(wanted(), PLAN, [draft(RIGHT)])
    async with asyncio.timeout(DEADLINE), api.serving(), everything(home, api) as (ground, book):
        await registered(book, repository)
        token = await grant(book, "a program", Role.OPERATOR, Cause("cli@test", "aps/cli", str(uuid4())))
        headers = {"Authorization": f"Bearer {token.text}", "traceparent": SENT} | JSON
        body = orjson.dumps({"target": "tiny", "text": WISH})
        await posted(f"{url_of(ground.settings)}/api/improvements", body, headers)
        chain = begins(await landed(book), "scan_requested")
    assert {envelope.traceparent.split("-")[1] for envelope in chain} == {TRACE}
    assert_one_trace(exported, chain, "POST /api/improvements")


async def test_a_comment_at_github_is_one_trace_from_the_web_hook_to_the_deployment(
    fresh_home: Callable[[str], Path], target: Repositories, exported: InMemorySpanExporter
) -> None:
    home, repository = fresh_home("hooked"), target(name="-hooked")
    comment = next(one for one in examples() if (one.event, one.number) == ("issue_comment", 0)).payload
    said = {**comment["comment"], "body": f"/aps improve {WISH}", "author_association": "OWNER"}
    body = orjson.dumps({**comment, "action": "created", "comment": said})
    git(repository, "remote", "add", "origin", comment["repository"]["clone_url"])
    api = SwarmApi(wanted(), PLAN, [draft(RIGHT)])
    async with asyncio.timeout(DEADLINE), api.serving(), everything(home, api, **SECRETS) as (ground, book):
        await registered(book, repository)
        await posted(f"{url_of(ground.settings)}{GITHUB}", body, by_github("one", "issue_comment", body))
        chain = begins(await landed(book), "received")
    assert {one.address.aggregate for one in chain} >= {"delivery", "target", "improvement", "deployment"}
    assert_one_trace(exported, chain, f"POST {GITHUB}")
