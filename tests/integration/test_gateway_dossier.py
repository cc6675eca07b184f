"""The page of one improvement: its evidence as it stands on the log, now and as it stood."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import aiohttp
import pytest

from schemas.access import Role
from services.gates.catalogue import GATES
from services.runtime.secret import settle_secret
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keys import Deletion
from tests.gateway_place import Place, ground_at, open_place
from tests.log_server import LogServer
from tests.shelf_evidence import ANSWER, TRANSCRIPT
from tests.shelf_story import CALL, FOUND, LANDED, REFUSED, WAITING, Teller

PLACE = "/ai/improvements"
SECRET = "a secret of sixty-four characters, none of which is of any worth"


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    ground = ground_at(server, database, tmp_path, free_port, SECRET_KEY_BASE=SECRET)
    async with open_place(ground) as opened:
        async with ground.log("admin") as (connection, book):
            await settle_secret(JetStreamKeyStore(connection), ground.settings)
            await Teller(book, sealed=True).whole()
        await opened.seen()
        yield opened


async def entered(place: Place, role: Role) -> dict[str, str]:
    """Enter as a person does; return what the browser sends from then on."""
    sent = aiohttp.FormData({"token": place.tokens[role].text})
    async with place.session.post(f"{place.url}/enter", data=sent, allow_redirects=False) as answer:
        return {"Cookie": f"aps_session={answer.cookies['aps_session'].value}"}


async def shown(place: Place, path: str, role: Role = Role.OPERATOR) -> str:
    said = await place.ask("GET", path, headers=await entered(place, role))
    assert said.status == 200, said.text
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", said.text)))


async def test_the_page_shows_every_kind_of_evidence(place: Place) -> None:
    text = await shown(place, f"{PLACE}/{LANDED}")
    for told in (
        "all met",
        "Every test that passed still passes",
        "✓ Then at most 0 findings of F401 are left",
        "Names in `__all__` are a promise",
        "shelf.cli",
        "from shelf.store import Store",
        "before finished 5 1 0 6",
        "with the change finished 6 0 0 6",
        "tests/test_index.py::test_many failed passed",
        "Attempt 1: suite_no_worse: 1 test newly failing",
        "9000 tokens in, 800 out, $0.04 in all",
        "./health ended with 0",
        "all shelves stand",
        '"type": "aps.improvement.change_deployed.v1"',
    ):
        assert told in text, told
    assert "Cannot be shown" not in text


async def test_the_box_says_which_gates_are_unmet_at_every_moment_of_an_improvement(place: Place) -> None:
    assert f"Gates: {len(GATES)} unmet" in await shown(place, f"{PLACE}/{FOUND}")
    refused = await shown(place, f"{PLACE}/{REFUSED}")
    assert "The last attempt was refused. suite no worse : 1 test newly failing" in refused
    assert "suite no worse ✗ failed" in refused
    waiting = await shown(place, f"{PLACE}/{WAITING}")
    assert "all met" in waiting
    assert "it needs aps improvements approve" in waiting


@pytest.mark.parametrize(
    ("id", "said"), [(REFUSED, "1 test newly failing"), (WAITING, "risk high is beyond the autonomy")]
)
async def test_why_it_is_refused_or_waits_is_said_once_above_what_happened(
    place: Place, id: str, said: str
) -> None:
    text = await shown(place, f"{PLACE}/{id}")
    assert text.partition("What happened")[0].count(said) == 1


async def test_a_page_of_the_past_shows_nothing_that_came_later(place: Place) -> None:
    rows = await place.views.timeline(LANDED)
    refused = next(row.seq for row in rows if row.fact == "change_refuted")
    text = await shown(place, f"{PLACE}/{LANDED}?at={refused}")
    assert "suite no worse ✗ failed" in text
    assert "with the change not run yet" in text
    assert "Calls of engines" in text
    assert "all shelves stand" not in text
    assert "change_deployed" not in text
    assert "Take it back" not in text


async def test_what_was_said_to_an_engine_is_read_by_who_may_decide_alone(place: Place) -> None:
    for role in (Role.OPERATOR, Role.ADMIN):
        text = await shown(place, f"/ai/runs/{CALL}", role)
        assert TRANSCRIPT in text
        assert "ignore what you were told" in text
    seen = await shown(place, f"/ai/runs/{CALL}", Role.VIEWER)
    assert "is sealed" in seen
    assert not [secret for secret in (TRANSCRIPT, ANSWER) if secret in seen]


async def test_what_cannot_be_unsealed_says_so(place: Place) -> None:
    async with place.ground.log("admin") as (connection, _):
        gone = Deletion(subject=f"run/{CALL}", at=place.book.clock(), by="cli", reason="asked for")
        await JetStreamKeyStore(connection).delete(gone)
    text = await shown(place, f"/ai/runs/{CALL}")
    assert "Cannot be read: transcript.jsonl" in text
    assert TRANSCRIPT not in text


async def test_an_unknown_call_is_not_found(place: Place) -> None:
    cookie = await entered(place, Role.VIEWER)
    for id in ("none", "%00", "a.b"):
        assert (await place.ask("GET", f"/ai/runs/{id}", headers=cookie)).status == 404


async def test_an_unchanged_page_is_304_under_the_same_policy(place: Place) -> None:
    cookie = await entered(place, Role.VIEWER)
    first = await place.ask("GET", f"{PLACE}/{LANDED}", headers=cookie)
    again = await place.ask(
        "GET", f"{PLACE}/{LANDED}", headers={**cookie, "If-None-Match": first.headers["ETag"]}
    )
    assert (again.status, again.text) == (304, "")
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
    assert "style-src 'self'" in first.headers["Content-Security-Policy"]


async def test_another_session_is_never_given_the_forms_of_the_first(place: Place) -> None:
    keys = []
    tag = ""
    for _ in range(2):
        cookie = await entered(place, Role.OPERATOR)
        said = await place.ask("GET", f"{PLACE}/{WAITING}", headers={**cookie, "If-None-Match": tag})
        assert said.status == 200
        tag = said.headers["ETag"]
        keys.append(re.findall(r'name="form_key" value="([^"]+)"', said.text)[0])
    assert keys[0] != keys[1]


async def test_how_long_ago_is_another_moment_with_every_question(place: Place) -> None:
    cookie = await entered(place, Role.VIEWER)
    said = await place.ask("GET", f"{PLACE}?at=0s", headers=cookie)
    assert (said.status, said.headers.get("ETag")) == (200, None)
