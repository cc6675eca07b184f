"""Requests in words through the API: the same facts as at the command line, from known targets alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from events.swarm import ALL, SWARM, Paused
from events.target import TARGET, Registered, ScanFailed
from schemas.access import Role
from services.asking.context import context_of
from services.runtime.claims import claim
from services.runtime.secret import settle_secret
from services.vault.jetstream import JetStreamKeyStore
from tests.gateway_place import CAUSE, Place, ground_at, open_place
from tests.git_targets import make
from tests.log_server import LogServer

ID = "shop-1"
TEXT = "parse() should accept an empty list"


@pytest.fixture
def secret() -> str:
    return "s" * 64


@pytest.fixture
async def place(
    server: LogServer, database: str, tmp_path: Path, free_port: int, secret: str
) -> AsyncIterator[Place]:
    folder = make(tmp_path / "shop", {"shop.py": b"def parse(x): return x[0]\n"})
    ground = ground_at(server, database, tmp_path / "home", free_port)
    given = {"secret_key_base": SecretStr(secret) if secret else None}
    ground = replace(ground, settings=ground.settings.model_copy(update=given))
    admin = await ground.connect("admin")
    await settle_secret(JetStreamKeyStore(admin), ground.settings)
    await admin.close()
    async with open_place(ground) as opened:
        first = Registered(path=str(folder), title="shop", origin=str(folder))
        await opened.book.record(TARGET, ID, first, cause=CAUSE)
        await opened.seen()
        yield opened


async def ask(place: Place, body: dict[str, Any], key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    whole = {"target": ID, "text": TEXT, **body}
    return await place.ask("POST", "/api/improvements", Role.OPERATOR, whole, headers)


async def test_a_request_is_taken_and_says_where_to_look(place: Place) -> None:
    said = await ask(place, {})
    assert said.status == 202, said.text
    seen = await place.ask("GET", said.headers["Location"], Role.VIEWER)
    assert (seen.status, seen.json["state"], seen.json["text"]) == (200, "requested", TEXT)
    scan = (await place.book.state(TARGET, ID)).latest
    assert scan is not None
    assert (scan.requested.request, scan.requested.engine, scan.id) == (TEXT, "auto", said.json["id"])


async def test_the_same_request_under_way_is_followed_and_not_doubled(place: Place) -> None:
    first, second = await ask(place, {}), await ask(place, {})
    assert (first.json["followed"], second.json["followed"]) == (False, True)
    assert first.json["id"] == second.json["id"]


async def test_a_look_is_asked_for_once_and_followed_while_it_is_under_way(place: Place) -> None:
    path, keyed = f"/api/targets/{ID}/look", {"Idempotency-Key": "one"}
    said = [await place.ask("POST", path, Role.OPERATOR, {}, headers) for headers in ({}, {}, keyed, keyed)]
    assert [one.status for one in said] == [202] * 4, said
    assert [one.json["followed"] for one in said] == [False, True, True, True]
    assert len({one.json["scan"] for one in said}) == 1
    scan = (await place.book.state(TARGET, ID)).latest
    assert scan is not None
    assert (scan.id, scan.requested.request, scan.requested.dry_run) == (said[0].json["scan"], "", False)


async def test_a_look_at_no_target_or_while_all_is_paused_is_refused(place: Place) -> None:
    assert (await place.ask("POST", "/api/targets/nothing/look", Role.OPERATOR, {})).status == 404
    await place.book.record(SWARM, ALL, Paused(reason="holidays"), cause=CAUSE)
    said = await place.ask("POST", f"/api/targets/{ID}/look", Role.OPERATOR, {})
    assert (said.status, "holidays" in said.json["detail"]) == (409, True)


async def test_a_target_may_be_named_by_its_path(place: Place) -> None:
    registered = (await place.book.state(TARGET, ID)).registered
    assert registered is not None
    assert (await ask(place, {"target": registered.path})).json["target"] == ID


@pytest.mark.parametrize("named", ["/etc", "nowhere", "https://example.org/x.git", "../shop", "\u202e"])
async def test_an_unknown_target_is_refused_and_nothing_is_recorded(place: Place, named: str) -> None:
    before = await place.book.store.head()
    said = await ask(place, {"target": named})
    assert (said.status, await place.book.store.head()) == (422, before)
    assert "there is no target" in said.json["detail"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"text": ""}, "text: String should have at least 1 character"),
        ({"text": " \n "}, "nothing is asked for"),
        ({"text": "x" * 8001}, "text: String should have at most 8000 characters"),
        ({"text": "clear \x1b[2J the screen"}, "control characters"),
        ({"text": "next line\x85"}, "control characters"),
        ({"text": "half a \ud800 pair"}, "cannot be kept as JSON"),
        ({"engine": "deterministic"}, "engine: "),
        ({"context": [{"where": "x", "text": "y" * 200_001}]}, "context.0.text: "),
        ({"context": [{"where": "x", "text": " "}]}, "it is empty"),
        ({"context": [{"where": "x", "text": "y", "kind": "order"}]}, "context.0.kind: "),
        ({"context": [{"where": "x", "text": "y"}] * 21}, "context: "),
        ({"surprise": 1}, "surprise: "),
        ({"target": 10**30}, "cannot be kept as JSON"),
    ],
)
async def test_what_does_not_fit_is_named_and_nothing_is_recorded(
    place: Place, body: dict[str, Any], told: str
) -> None:
    before = await place.book.store.head()
    said = await ask(place, body)
    assert said.status == 422
    assert told in " ".join((said.json["detail"], *said.json["errors"]))
    assert await place.book.store.head() == before


async def test_a_key_makes_a_request_once_however_far_it_has_come(place: Place) -> None:
    first = await ask(place, {}, "one")
    scan = first.json["id"]
    async with place.ground.log("pm") as (_, pm), claim(pm, TARGET, ID, "scan", CAUSE, 30) as held:
        failed = ScanFailed(scan=scan, claim=held.token, reason="no engine")
        await pm.record(TARGET, ID, failed, cause=CAUSE)
    before = await place.book.store.head()
    again = await ask(place, {}, "one")
    assert (again.status, again.json["id"], again.json["state"]) == (202, scan, "failed")
    assert await place.book.store.head() == before
    assert (await ask(place, {}, "two")).json["id"] != scan


async def test_a_key_of_another_request_is_not_taken(place: Place) -> None:
    await ask(place, {}, "one")
    said = await ask(place, {"text": "something else"}, "one")
    assert (said.status, said.json["errors"]) == (422, ["text: it is another"])
    assert "sent with another body before: request" in said.json["detail"]


async def test_a_key_of_another_target_is_not_taken(place: Place) -> None:
    registered = (await place.book.state(TARGET, ID)).registered
    assert registered is not None
    await place.book.record(TARGET, "other-1", registered, cause=CAUSE)
    await ask(place, {}, "one")
    before = await place.book.store.head()
    said = await ask(place, {"target": "other-1"}, "one")
    assert (said.status, said.json["errors"]) == (422, ["target: it is another"])
    assert await place.book.store.head() == before


async def test_context_is_kept_sealed_as_material_of_others(place: Place) -> None:
    said = await ask(place, {"context": [{"kind": "issue", "where": "#42", "text": "it fails"}]})
    assert said.status == 202, said.text
    state = await place.book.state(TARGET, ID)
    (kept,) = await context_of(place.book, state, said.json["id"])
    assert "it fails" in kept.fenced


@pytest.mark.parametrize("secret", [""])
async def test_without_a_secret_no_context_is_taken_and_that_is_said(place: Place) -> None:
    said = await ask(place, {"context": [{"where": "#42", "text": "it fails"}]})
    assert (said.status, "SECRET_KEY_BASE is not set" in said.json["detail"]) == (503, True)


async def test_nothing_is_asked_for_while_everything_is_paused(place: Place) -> None:
    await place.book.record(SWARM, ALL, Paused(reason="wait"), cause=CAUSE)
    said = await ask(place, {})
    assert (said.status, "everything is paused (wait)" in said.json["detail"]) == (409, True)


@pytest.mark.parametrize("id", ["none", "shop-1-s9", "x-s1", "%ff", "-s1"])
async def test_an_unknown_request_is_not_found(place: Place, id: str) -> None:
    assert (await place.ask("GET", f"/api/requests/{id}", Role.VIEWER)).status == 404
