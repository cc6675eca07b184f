"""Dead letters at the gateway: seen, given to a running copy of the role again, discarded for a reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from events.store import Recorded
from events.subjects import dead_letter
from schemas.access import Role
from services.runtime.replaying import taking_again
from services.steering.letters import letters
from tests import projection_facts as f
from tests.gateway_place import Place, ground_at, open_place
from tests.log_server import LogServer
from tests.projection_facts import tell

SUBJECT = "aps.v1.improvement.imp-1.discovered"


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        async with opened.ground.log("admin") as (connection, everybody):
            await tell(everybody.store, [("improvement", "imp-1", f.discovered(1))])
            for role in ("developer", "projector"):
                seq = await everybody.store.head()
                letter = {"role": role, "seq": seq, "subject": SUBJECT, "reason": "it <b>broke</b>\x1b[2J"}
                await connection.jetstream().publish(dead_letter(role, seq), orjson.dumps(letter))
        yield opened


class Reacting:
    """A role that reacts to an event as it is told to, when it is let."""

    def __init__(self, failure: str = "") -> None:
        self.role = "developer"
        self.seen: list[int] = []
        self.may = asyncio.Event()
        self._failure = failure

    async def react(self, event: Recorded) -> None:
        self.seen.append(event.seq)
        await self.may.wait()
        if self._failure:
            raise RuntimeError(self._failure)


@asynccontextmanager
async def running(place: Place, agent: Reacting) -> AsyncIterator[None]:
    async with place.ground.log("developer") as (connection, book), taking_again(connection, agent, book):
        await connection.flush()
        yield


async def do(place: Place, what: str, body: dict[str, Any] | None = None, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return await place.ask("POST", f"/api/dead-letters/{what}", Role.OPERATOR, body or {}, headers)


async def ended(place: Place, number: int) -> Any:
    """Wait until no role is at the letter any more."""
    async with asyncio.timeout(30):
        while True:
            said = await place.ask("GET", f"/api/dead-letters/{number}", Role.VIEWER)
            if not said.json["under_way"]:
                return said.json


async def test_a_letter_tells_role_event_reason_time_and_what_a_replay_does(place: Place) -> None:
    said = await place.ask("GET", "/api/dead-letters", Role.VIEWER)
    first, second = said.json["items"]
    assert (first["role"], first["subject"], first["closed"]) == ("developer", SUBJECT, None)
    assert first["since"] > "2026"
    assert "given to developer once more" in first["replay_does"]
    assert (second["replayable"], "aps views rebuild" in second["replay_does"]) == (False, True)


async def test_letters_come_in_pages(place: Place) -> None:
    first = (await place.ask("GET", "/api/dead-letters?limit=1", Role.VIEWER)).json
    rest = (await place.ask("GET", f"/api/dead-letters?limit=1&after={first['next']}", Role.VIEWER)).json
    assert [one["role"] for one in (*first["items"], *rest["items"])] == ["developer", "projector"]
    assert rest["next"] is None


async def test_a_replayed_letter_is_closed_once_the_role_is_done(place: Place) -> None:
    agent = Reacting()
    async with running(place, agent):
        said = await do(place, "1/replay")
        assert (said.status, said.json["under_way"], said.json["closed"]) == (202, True, None)
        assert (await do(place, "1/discard", {"reason": "no"})).status == 409
        agent.may.set()
        state = await ended(place, 1)
    assert state["closed"]["how"] == "replayed"
    assert place.tokens[Role.OPERATOR].id in state["closed"]["by"]
    assert agent.seen == [state["event"]]
    assert (await do(place, "1/replay")).status == 409


async def test_what_fails_again_stays_with_the_reason(place: Place) -> None:
    agent = Reacting("still broken")
    agent.may.set()
    async with running(place, agent):
        assert (await do(place, "1/replay")).status == 202
        state = await ended(place, 1)
    assert (state["closed"], state["failure"]) == (None, "still broken")


async def test_without_a_copy_of_the_role_nothing_is_promised(place: Place) -> None:
    said = await do(place, "1/replay")
    assert (said.status, "no copy of developer runs" in said.json["detail"]) == (503, True)
    assert (await ended(place, 1))["closed"] is None


async def test_a_letter_of_the_views_says_what_closes_it(place: Place) -> None:
    said = await do(place, "2/replay")
    assert (said.status, "aps views rebuild" in said.json["detail"]) == (409, True)


async def test_discarding_is_kept_with_who_and_why(place: Place) -> None:
    said = await do(place, "1/discard", {"reason": "the target is gone"}, "once")
    assert (said.status, said.headers["Location"]) == (202, "/api/dead-letters/1")
    assert said.json["closed"]["reason"] == "the target is gone"
    again = await do(place, "1/discard", {"reason": "the target is gone"}, "once")
    other = await do(place, "1/discard", {"reason": "another"})
    assert (again.status, again.headers["Idempotent-Replayed"], other.status) == (202, "true", 409)
    wrong = await do(place, "1/discard", {"reason": "another"}, "once")
    assert (wrong.status, "reason: the target is gone" in wrong.json["detail"]) == (422, True)
    async with place.ground.log("inspector") as (connection, _):
        kept = [one.closed for one in await letters(connection) if one.closed]
    assert [(one.how, place.tokens[Role.OPERATOR].id in one.by) for one in kept] == [("discarded", True)]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 2001}])
async def test_nothing_is_discarded_without_a_reason(place: Place, body: dict[str, str]) -> None:
    assert (await do(place, "1/discard", body)).status == 422


async def test_of_two_who_discard_at_once_one_does(place: Place) -> None:
    said = await asyncio.gather(*(do(place, "1/discard", {"reason": f"r{n}"}) for n in range(6)))
    assert sorted(one.status for one in said) == [202, 409, 409, 409, 409, 409]
    won = next(one for one in said if one.status == 202)
    assert (await ended(place, 1))["closed"]["reason"] == won.json["closed"]["reason"]


@pytest.mark.parametrize("number", ["3", "0", "99999999999999999999999", "x", "-1"])
async def test_there_is_no_such_letter(place: Place, number: str) -> None:
    assert (await place.ask("GET", f"/api/dead-letters/{number}", Role.VIEWER)).status == 404
    assert (await do(place, f"{number}/replay")).status == 404


async def test_the_page_shows_hostile_reasons_as_text_and_its_forms_work(place: Place) -> None:
    token = place.tokens[Role.OPERATOR].text
    entered = await place.session.post(f"{place.url}/enter", data={"token": token}, allow_redirects=False)
    cookie = {"Cookie": f"aps_session={entered.cookies['aps_session'].value}"}
    shown = await place.ask("GET", "/ai/dead-letters", headers=cookie)
    assert shown.status == 200
    assert "<b>broke" not in shown.text
    assert "\x1b" not in shown.text
    key = shown.text.partition('name="form_key" value="')[2].partition('"')[0]
    sent = await place.session.post(
        f"{place.url}/ai/dead-letters/1/discard",
        data={"form_key": key, "reason": "not needed"},
        headers=cookie,
        allow_redirects=False,
    )
    assert sent.status == 303
    assert "not needed" in (await place.ask("GET", "/ai/dead-letters?closed=true", headers=cookie)).text


async def test_an_open_letter_is_no_good_health(place: Place) -> None:
    def found(health: Any) -> tuple[str, int]:
        (one,) = [one for one in health["components"] if one["name"] == "dead_letters"]
        return one["state"], one["figures"]["open"]

    assert found((await place.ask("GET", "/api/health")).json) == ("degraded", 2)
    for number in (1, 2):
        assert (await do(place, f"{number}/discard", {"reason": "no loss"})).status == 202
    assert found((await place.ask("GET", "/api/health")).json) == ("ok", 0)
