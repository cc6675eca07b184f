"""Web hooks of a gateway: what is signed is on the log once before it is answered, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from events.target import TARGET, Registered
from schemas.delivery import Source
from services.discovery.understanding import Discovery
from services.gateway.webhooks.storing import INLINE_BYTES
from services.runtime.ground import now
from services.runtime.log import answering
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keys import Deletion
from services.workspace.checkout import Workspace
from tests.gateway_place import CAUSE
from tests.git_targets import git, make
from tests.log_server import LogServer, started
from tests.webhook_deliveries import (
    FORGOTTEN,
    FORMER,
    GITHUB,
    PRESENT,
    Example,
    Hooks,
    by_github,
    deliveries,
    digest,
    examples,
    open_hooks,
    standard,
)

AT_ONCE = 32
NOTE = {"id": "exec-17", "action": "note", "text": "the nightly run is over"}


@pytest.fixture(scope="module")
def log_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    server = started(tmp_path_factory.mktemp("hooks"))
    yield server
    server.kill()


@pytest.fixture
async def hooks(log_server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Hooks]:
    async with open_hooks(log_server, database, tmp_path, free_port) as opened:
        yield opened


async def deliver(hooks: Hooks, given: tuple[Example, ...], secret: str | None) -> list[int]:
    """Deliver examples, many at once; return the statuses."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(example: Example) -> int:
        async with room:
            return (await hooks.github(example, secret)).status

    return list(await asyncio.gather(*(one(example) for example in given)))


async def sent(hooks: Hooks, id: str) -> Any:
    """Return what was sent, as it comes back from the log."""
    fact = (await hooks.state(id)).received
    assert fact is not None
    if fact.payload is not None:
        return orjson.loads(await hooks.place.book.fetch(fact.payload))
    assert fact.sealed is not None
    return orjson.loads(await hooks.place.book.reveal(fact.sealed))


async def refused(hooks: Hooks) -> int:
    """Return how many were refused, by the log."""
    return sum(one["times"] for one in await deliveries(hooks.place.book) if one["fact"] == "refused")


def test_githubs_examples_are_all_there() -> None:
    assert len(examples()) == 329
    assert len({example.event for example in examples()}) == 58


async def test_every_example_of_githubs_is_taken_and_delivered_again_stored_once(hooks: Hooks) -> None:
    assert set(await deliver(hooks, examples(), PRESENT)) == {202}
    received = await deliveries(hooks.place.book)
    assert {one["id"]: one["event"] for one in received} == {
        f"github-{example.key}": example.event for example in examples()
    }
    assert all(not one["former_secret"] and one["size"] for one in received)
    for example in examples():
        assert await sent(hooks, f"github-{example.key}") == example.payload
    assert set(await deliver(hooks, examples(), PRESENT)) == {200}
    assert await deliveries(hooks.place.book) == received


async def test_no_example_with_a_wrong_missing_or_old_signature_is_taken_and_all_are_recorded(
    log_server: LogServer, database: str, tmp_path: Path, free_port: int
) -> None:
    async with open_hooks(log_server, database, tmp_path, free_port) as hooks:
        for secret in ("a wrong secret", FORGOTTEN, None):
            assert set(await deliver(hooks, examples(), secret)) == {401}
        ground = hooks.place.ground
    async with ground.log("cli") as (_, book):  # what was counted is recorded at the latest when it ends
        recorded = await deliveries(book)
    assert {one["fact"] for one in recorded} == {"refused"}
    assert sum(one["times"] for one in recorded) == 3 * len(examples())
    assert len(recorded) < 20  # a flood is told by few events


async def test_what_the_former_secret_signed_is_taken_and_said_to_be(hooks: Hooks) -> None:
    example = examples()[0]
    assert (await hooks.github(example, FORMER)).status == 202
    fact = (await hooks.state(f"github-{example.key}")).received
    assert fact is not None
    assert fact.former_secret


async def test_many_copies_of_a_delivery_at_once_are_one_event(hooks: Hooks) -> None:
    statuses = await deliver(hooks, examples()[:1] * 16, PRESENT)
    assert sorted(statuses) == [200] * 15 + [202]
    assert len(await deliveries(hooks.place.book)) == 1


async def test_an_id_that_was_used_for_something_else_is_refused(hooks: Hooks) -> None:
    one, other = examples()[:2]
    await hooks.github(one)
    said = await hooks.post(GITHUB, other.body, by_github(one.key, other.event, other.body))
    assert said.status == 409
    assert await sent(hooks, f"github-{one.key}") == one.payload


async def test_who_is_refused_has_no_say_over_a_delivery_to_come(hooks: Hooks) -> None:
    example = examples()[0]
    assert (await hooks.github(example, None)).status == 401
    assert (await hooks.github(example)).status == 202


@pytest.mark.parametrize("size", [INLINE_BYTES, INLINE_BYTES + 1, 3_000_000])
async def test_a_large_delivery_is_kept_whole_once(hooks: Hooks, size: int) -> None:
    empty = len(orjson.dumps({"text": ""}))
    body = orjson.dumps({"text": "x" * (size - empty)})
    headers = by_github("large", "push", body)
    assert (await hooks.post(GITHUB, body, headers)).status == 202
    assert (await hooks.post(GITHUB, body, headers)).status == 200
    fact = (await hooks.state("github-large")).received
    assert fact is not None
    assert (fact.payload is None, fact.size) == (size <= INLINE_BYTES, size)
    assert await sent(hooks, "github-large") == orjson.loads(body)


async def test_what_was_sent_is_on_the_log_only_sealed(hooks: Hooks) -> None:
    body = orjson.dumps({"text": "a stranger's telephone number"})
    await hooks.post(GITHUB, body, by_github("private", "issues", body))
    everything = [event.envelope.encode() async for event in hooks.place.book.store.read_all()]
    assert not any(b"telephone" in one for one in everything)


async def test_where_the_key_of_a_day_was_deleted_a_delivery_has_one_of_its_own(
    hooks: Hooks,
) -> None:
    await hooks.github(examples()[0])
    fact = (await hooks.state(f"github-{examples()[0].key}")).received
    assert fact is not None
    assert fact.sealed is not None
    admin = await hooks.place.ground.connect("admin")
    gone = Deletion(subject=fact.sealed.sealed_for, by="cli", reason="forgotten", at=now())
    await JetStreamKeyStore(admin).delete(gone)
    await admin.close()
    assert (await hooks.github(examples()[1])).status == 202
    assert await sent(hooks, f"github-{examples()[1].key}") == examples()[1].payload


BROKEN = {
    b'{"action": ': 400,
    b"": 400,
    b"\xff\xfe{}": 400,
    b"[1, 2]": 422,
    b'"text"': 422,
    b"[" * 5000: 400,
    b'{"a": NaN}': 400,
}


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:12]))
async def test_a_signed_body_that_is_no_json_object_is_refused_and_recorded(
    hooks: Hooks, body: bytes
) -> None:
    assert (await hooks.post(GITHUB, body, by_github("broken", "push", body))).status == BROKEN[body]
    assert await refused(hooks) == 1


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"X-GitHub-Delivery": ""}, 422),
        ({"X-GitHub-Delivery": "a b;c"}, 422),
        ({"X-GitHub-Event": "<script>"}, 422),
        ({"X-GitHub-Event": "e" * 5000}, 422),
        ({"X-Hub-Signature-256": "sha256=" + "0" * 64}, 401),
    ],
)
async def test_headers_that_do_not_fit_are_refused_and_recorded(
    hooks: Hooks, changed: dict[str, str], status: int
) -> None:
    headers = {**by_github("one", "push", b"{}"), **changed}
    assert (await hooks.post(GITHUB, b"{}", headers)).status == status
    assert await refused(hooks) == 1


async def test_odd_ids_are_an_aggregate_like_any_other(hooks: Hooks) -> None:
    for number, key in enumerate(("a.b:c/d", "x" * 100)):
        assert (await hooks.post(GITHUB, b"{}", by_github(key, "push", b"{}"))).status == 202
        assert (await hooks.post(GITHUB, b"{}", by_github(key, "push", b"{}"))).status == 200
        assert (await deliveries(hooks.place.book))[number]["key"] == key


async def test_a_message_by_standard_webhooks_is_taken_once(hooks: Hooks) -> None:
    body = orjson.dumps({"type": "invoice.paid", "timestamp": "2026-01-05T09:00:00Z", "data": {"id": 1}})
    headers = standard("msg_2Lh9KRb0pzN4LePd3XiA4v12Axj", int(now().timestamp()), body)
    statuses = [(await hooks.post("/api/webhooks/system", body, headers)).status for _ in range(2)]
    assert statuses == [202, 200]
    (one,) = await deliveries(hooks.place.book)
    assert (one["source"], one["event"]) == (Source.SYSTEM, "invoice.paid")


async def test_a_message_that_was_overheard_is_not_taken_again_later(hooks: Hooks) -> None:
    body = b'{"type": "ping"}'
    for moved in (-301, 301):
        headers = standard("msg_1", int(now().timestamp()) + moved, body)
        assert (await hooks.post("/api/webhooks/system", body, headers)).status == 401
    assert await refused(hooks) == 2


async def test_a_workflow_is_recorded_under_its_own_id(hooks: Hooks) -> None:
    body = orjson.dumps(NOTE)
    headers = {"X-APS-Signature-256": digest(PRESENT, body), "Content-Type": "application/json"}
    statuses = [
        (await hooks.post(f"/api/webhooks/n8n/{workflow}", body, headers)).status
        for workflow in ("Kx3bV", "Kx3bV", "elsewhere")  # what was overheard gives nothing to another one
    ]
    assert statuses == [202, 200, 200]
    (one,) = await deliveries(hooks.place.book)
    assert (one["source"], one["event"], one["key"]) == (Source.N8N, "Kx3bV", "exec-17")


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"action": "reboot"},
        {"text": ""},
        {"action": "request"},
        {"more": 1},
        {"action": "metric"},
        {"metric": {"name": "a", "value": 1}},
        {"action": "metric", "metric": {"name": "a", "value": 1.5}},
        {"action": "metric", "metric": {"name": "a", "value": 1, "time": "2001-01-01T00:00:00Z"}},
    ],
    ids=repr,
)
async def test_what_a_workflow_may_not_say_is_named(hooks: Hooks, wrong: dict[str, Any]) -> None:
    body = orjson.dumps({**NOTE, **wrong})
    headers = {"X-APS-Signature-256": digest(PRESENT, body), "Content-Type": "application/json"}
    said = await hooks.post("/api/webhooks/n8n/Kx3bV", body, headers)
    assert said.status == 422
    assert said.json["errors"]


async def test_a_workflow_measures_once_however_often_it_says_so(hooks: Hooks) -> None:
    metric = {"name": "orders", "value": 3, "labels": {"shop": "north"}}
    body = orjson.dumps({"id": "exec-18", "action": "metric", "metric": metric})
    headers = {"X-APS-Signature-256": digest(PRESENT, body), "Content-Type": "application/json"}
    for status in (202, 200):
        assert (await hooks.post("/api/webhooks/n8n/Kx3bV", body, headers)).status == status
    stream = await hooks.place.ground.connect("admin")
    info = await stream.jetstream().stream_info("TELEMETRY")
    await stream.close()
    assert info.state.messages == 1


async def test_pm_makes_a_scan_of_what_was_delivered_with_its_own_rights_alone(
    hooks: Hooks, tmp_path: Path
) -> None:
    folder = make(tmp_path / "shop", {"shop.py": b""})
    git(folder, "remote", "add", "origin", "https://github.com/octocat/shop")
    first = Registered(path=str(folder), title="shop", origin=str(folder))
    await hooks.place.book.record(TARGET, "shop-1", first, cause=CAUSE)
    repository = {"full_name": "octocat/shop", "html_url": "https://github.com/octocat/shop"}
    body = orjson.dumps({"ref": "refs/heads/main", "commits": [{"message": "x"}], "repository": repository})
    assert (await hooks.post(GITHUB, body, by_github("pushed", "push", body))).status == 202
    ground = hooks.place.ground
    async with ground.log("pm") as (_, book):
        ((event, *_), _) = await book.store.read("delivery", "github-pushed")
        discovery = Discovery(book, Workspace(ground.settings.home), "aps")
        await discovery.understand("github-pushed", answering(event, "pm@here-1"))
    latest = (await hooks.place.book.state(TARGET, "shop-1")).latest
    understood = (await hooks.state("github-pushed")).understood
    assert latest is not None
    assert understood is not None
    assert understood.scan == latest.id


async def test_a_body_beyond_the_settings_is_refused_and_recorded(hooks: Hooks) -> None:
    said = await hooks.post(GITHUB, b"x" * 6_000_000, by_github("huge", "push", b"{}"))
    assert said.status == 413
    assert await refused(hooks) == 1


async def test_a_web_hook_without_a_secret_is_none(
    log_server: LogServer, database: str, tmp_path: Path, free_port: int
) -> None:
    unset = {"GITHUB_WEBHOOK_SECRET": "", "GITHUB_WEBHOOK_SECRET_OLD": ""}
    async with open_hooks(log_server, database, tmp_path, free_port, **unset) as hooks:
        said = await hooks.github(examples()[0], "")
        assert said.status == 404
        assert "GITHUB_WEBHOOK_SECRET" in said.json["detail"]


async def test_without_a_log_nothing_is_said_to_be_taken(
    log_server: LogServer, database: str, tmp_path: Path, free_port: int
) -> None:
    async with open_hooks(log_server, database, tmp_path, free_port) as hooks:
        log_server.kill()
        try:
            said = await hooks.github(examples()[0])
            assert said.status == 503
            assert said.headers["Retry-After"]
        finally:
            log_server.start()
        async with asyncio.timeout(60):
            while (await hooks.github(examples()[0])).status == 503:
                pass
        assert len(await deliveries(hooks.place.book)) == 1
