"""A command sent again under its `Idempotency-Key`: done once, told as such, and never for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from events.swarm import ALL, SWARM
from schemas.access import Role
from tests import projection_facts as f
from tests.gateway_place import Place, Said, ground_at, open_place
from tests.log_server import LogServer
from tests.projection_facts import tell


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    """A gateway, and two improvements that were found."""
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        async with opened.ground.log("admin") as (_, everybody):
            await tell(everybody.store, [("improvement", f"imp-{n}", f.discovered(n)) for n in (1, 2)])
        await opened.seen()
        yield opened


async def send(
    place: Place, path: str, body: Mapping[str, object], key: str, role: Role = Role.OPERATOR
) -> Said:
    return await place.ask("POST", f"/api/{path}", role, body, {"Idempotency-Key": key})


async def test_a_repeated_pause_is_told_as_done_before_and_pauses_nothing(place: Place) -> None:
    first = await send(place, "pause", {"reason": "A"}, "p1")
    assert (first.status, first.json["version"], first.json["repeated"]) == (202, 1, False)
    assert "Idempotent-Replayed" not in first.headers
    assert (await send(place, "resume", {}, "p1")).status == 202
    again = await send(place, "pause", {"reason": "A"}, "p1")
    assert (again.status, again.json) == (202, {**first.json, "repeated": True})
    assert (again.headers["Idempotent-Replayed"], again.headers["ETag"]) == ("true", '"1"')
    assert (await place.book.state(SWARM, ALL)).paused is None


async def test_a_key_with_another_body_is_refused_and_what_differs_is_named(place: Place) -> None:
    await send(place, "pause", {"reason": "A"}, "p1")
    await send(place, "resume", {}, "r1")
    before = await place.book.store.head()
    said = await send(place, "pause", {"reason": "C"}, "p1")
    assert (said.status, said.json["errors"]) == (422, ["reason: 'A' then, 'C' now"])
    assert "paused (swarm all, version 1" in said.json["detail"]
    ranked = await send(place, "improvements/imp-1/priority", {"rank": 3}, "k")
    other = await send(place, "improvements/imp-1/priority", {"rank": 4}, "k")
    assert (ranked.status, other.status, other.json["errors"]) == (202, 422, ["rank: 3 then, 4 now"])
    assert await place.book.store.head() == before + 1


async def test_a_key_is_its_senders_and_its_paths_alone(place: Place) -> None:
    said = [
        await send(place, "improvements/imp-1/priority", {"rank": 3}, "k"),
        await send(place, "improvements/imp-2/priority", {"rank": 4}, "k"),
        await send(place, "improvements/imp-2/priority", {"rank": 5}, "k", Role.ADMIN),
    ]
    assert [(one.status, one.json["repeated"]) for one in said] == [(202, False)] * 3


async def test_an_agents_commands_are_repeated_as_any_other(place: Place) -> None:
    hand = {"title": "a hand", "role": "developer"}
    for path, body, other in (
        ("agents", hand, {**hand, "title": "another"}),
        ("agents/leave", {"reason": "done"}, {"reason": "tired"}),
    ):
        first, again, wrong = [await send(place, path, one, "k", Role.AGENT) for one in (body, body, other)]
        assert (first.status, again.status, wrong.status) == (first.status, first.status, 422), path
        assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")
        assert "then" in wrong.json["errors"][0]


async def test_one_key_makes_one_token_and_a_repetition_names_it(place: Place) -> None:
    wanted = {"title": "CI", "role": "admin"}
    said = await asyncio.gather(*(send(place, "tokens", wanted, "t1", Role.ADMIN) for _ in range(3)))
    (made,) = [one for one in said if one.status == 201]
    id = made.json["id"]
    for one in (*said, await send(place, "tokens", wanted, "t1", Role.ADMIN)):
        if one is not made:
            assert (one.status, f"POST /api/tokens/{id}/revoke" in one.json["detail"]) == (409, True)
    other = await send(place, "tokens", {**wanted, "role": "viewer"}, "t1", Role.ADMIN)
    assert (other.status, other.json["errors"]) == (422, ["role: 'admin' then, 'viewer' now"])
    next_one = await send(place, "tokens", wanted, "t2", Role.ADMIN)
    await place.seen()
    rows = (await place.ask("GET", "/api/tokens", Role.ADMIN)).json["items"]
    assert {one["id"] for one in rows if one["title"] == "CI"} == {id, next_one.json["id"]}
    bearer = {"Authorization": f"Bearer {made.json['token']}"}
    assert (await place.ask("GET", "/api/tokens", headers=bearer)).status == 200


async def test_tokens_made_without_a_key_are_each_their_own(place: Place) -> None:
    wanted = {"title": "CI", "role": "viewer"}
    said = [await place.ask("POST", "/api/tokens", Role.ADMIN, wanted) for _ in range(2)]
    assert len({one.json["id"] for one in said}) == 2


async def test_who_loses_a_race_is_told_who_did_what_and_where_to_look(place: Place) -> None:
    path = "improvements/imp-1/priority"
    async with asyncio.timeout(60):
        lost: list[Said] = []
        while not lost:
            both = [place.ask("POST", f"/api/{path}", Role.OPERATOR, {"rank": n}) for n in (1, 2, 3, 4)]
            lost = [one for one in await asyncio.gather(*both) if one.status != 202]
    for one in lost:
        assert one.status == 409
        assert "imp-1: somebody was faster: reprioritised by operator" in one.json["detail"]
        assert one.json["see"] == "/api/improvements/imp-1"


async def test_who_decides_on_a_page_that_is_old_is_led_back_to_the_improvement(place: Place) -> None:
    token = place.tokens[Role.OPERATOR].text
    entered = await place.session.post(f"{place.url}/enter", data={"token": token}, allow_redirects=False)
    cookie = {"Cookie": f"aps_session={entered.cookies['aps_session'].value}"}
    shown = (await place.ask("GET", "/ai/improvements/imp-1", headers=cookie)).text
    form_key = shown.partition('name="form_key" value="')[2].partition('"')[0]
    form = {"form_key": form_key, "version": "99", "reason": ""}
    url = f"{place.url}/ai/improvements/imp-1/retry"
    async with place.session.post(url, data=form, headers=cookie) as answer:
        said = await answer.text()
    assert answer.status == 409, said
    assert '<a href="/ai/improvements/imp-1">' in said
