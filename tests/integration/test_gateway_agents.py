"""Agents from outside: they claim open work by the API, and what they deliver is made a commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from events.catalogue import read_fact
from events.improvement import IMPROVEMENT
from events.improvement_facts import ChangeDelivered
from events.run import RUN
from schemas.access import Role
from schemas.improvement import Status
from services.access.tokens import grant
from services.changes.brief import DEMANDED
from services.changes.recipes import MAKING, Written
from services.developer.agent import Developer
from services.gherkin.steps import GuardedByTests, ShownByTests
from services.runtime.claims import Later
from services.runtime.role import workbench
from services.workspace.checkout import Workspace
from tests.gateway_place import CAUSE, Place
from tests.log_server import LogServer
from tests.outside_agents import (
    HAND,
    ID,
    PATCH,
    PROOFS,
    SECRET,
    TARGET_ID,
    asked_and_designed,
    claimed,
    do,
)


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with asked_and_designed(server, database, tmp_path, free_port) as opened:
        yield opened


async def finish(place: Place, token: int, patch: str = PATCH, **more: Any) -> Any:
    whole = {"claim": token, "patch": patch, "summary": "An empty list is nothing.", "proofs": PROOFS}
    return await do(place, f"work/{ID}/finish", whole | more)


async def developed(place: Place) -> Any:
    """Let the Developer, with no engine, react to the last delivery; return the improvement.

    What is to be written anew after a refused one is left to copies with an engine.
    """
    async with place.ground.log("developer") as (_, book):
        bench = await workbench("developer", place.ground.settings, book)
        events, _position = await book.store.read(IMPROVEMENT.name, ID)
        last = next(one for one in reversed(events) if one.envelope.address.fact == ChangeDelivered.name)
        with suppress(Later):
            await Developer(bench).react(last)
        return await book.state(IMPROVEMENT, ID)


async def test_an_agent_registers_sees_itself_and_is_seen(place: Place) -> None:
    said = await do(place, "agents", HAND)
    assert (said.status, said.json["present"], said.json["holding"]) == (201, True, [])
    assert (await do(place, "agents", HAND)).status == 409
    for role in (Role.AGENT, Role.VIEWER):
        assert (await place.ask("GET", said.headers["Location"], role)).json["title"] == "a hand"
    assert (await place.ask("GET", "/api/agents/0123456789ab", Role.AGENT)).status == 404


@pytest.mark.parametrize(
    "wrong", [{"role": "qa"}, {"capacity": 0}, {"capacity": 99}, {"title": ""}, {"capabilities": [""]}]
)
async def test_a_registration_that_does_not_fit_is_refused(place: Place, wrong: dict[str, Any]) -> None:
    assert (await do(place, "agents", HAND | wrong)).status == 422


async def test_only_who_is_registered_sees_and_claims_work(place: Place) -> None:
    assert (await place.ask("GET", "/api/work", Role.AGENT)).status == 409
    assert (await do(place, f"work/{ID}/claim")).status == 409
    assert (await do(place, f"work/{ID}/claim", role=Role.OPERATOR)).status == 403


async def test_open_work_is_listed_until_somebody_holds_it(place: Place) -> None:
    await do(place, "agents", HAND)
    listed = (await place.ask("GET", "/api/work", Role.AGENT)).json["items"]
    assert [one["improvement"] for one in listed] == [ID, "imp-2"]
    assert (await do(place, f"work/{ID}/claim")).status == 201
    listed = (await place.ask("GET", "/api/work", Role.AGENT)).json["items"]
    assert [one["improvement"] for one in listed] == ["imp-2"]


async def test_a_claim_gives_what_the_work_needs(place: Place) -> None:
    said = await claimed(place, seconds=60)
    assert said.status == 201, said.text
    assert (said.json["request"], said.json["plan"]) == ("parse nothing", "Return 0 early.")
    assert said.json["behaviours"] == ["an empty list gives 0"]
    assert len(said.json["base"]) == 40
    claim = (await place.book.state(IMPROVEMENT, ID)).claim
    assert claim is not None
    assert (claim.token, claim.agent) == (said.json["claim"], f"outside/{place.tokens[Role.AGENT].id}")


async def test_a_claim_says_what_the_tests_have_to_prove(place: Place) -> None:
    await do(place, "agents", HAND | {"capacity": 2})
    shown, guarded = [(await do(place, f"work/{id}/claim")).json for id in (ID, "imp-2")]
    assert shown["proof"] == DEMANDED[ShownByTests]
    assert (guarded["behaviours"], guarded["proof"]) == (["a list gives its first"], DEMANDED[GuardedByTests])


async def test_of_many_who_claim_at_once_one_does(place: Place) -> None:
    tokens = [(await grant(place.book, f"a{n}", Role.AGENT, CAUSE)).text for n in range(4)]
    for token in tokens:
        await do(place, "agents", HAND, token=token)
    said = await asyncio.gather(*(do(place, f"work/{ID}/claim", token=token) for token in tokens))
    assert sorted(one.status for one in said) == [201, 409, 409, 409]


async def test_an_agent_claims_no_more_than_its_capacity_also_at_once(place: Place) -> None:
    await do(place, "agents", HAND)
    said = await asyncio.gather(*(do(place, f"work/{id}/claim") for id in (ID, "imp-2")))
    assert sorted(one.status for one in said) == [201, 409]
    assert "holds as much as it said it can: 1" in next(one for one in said if one.status == 409).text


async def test_only_the_holder_renews_tells_releases_and_finishes(place: Place) -> None:
    token = (await claimed(place)).json["claim"]
    other = (await grant(place.book, "other", Role.AGENT, CAUSE)).text
    await do(place, "agents", HAND, token=other)
    whole = {"claim": token, "patch": PATCH, "summary": "mine", "proofs": PROOFS}
    tries = (("renew", {"claim": token}), ("progress", {"claim": token, "percent": 1}))
    for what, body in (*tries, ("release", {"claim": token}), ("finish", whole)):
        assert (await do(place, f"work/{ID}/{what}", body, token=other)).status == 409, what
        assert (await do(place, f"work/{ID}/{what}", body | {"claim": token + 1})).status == 409, what
    renewed = await do(place, f"work/{ID}/renew", {"claim": token, "seconds": 3600})
    assert renewed.status == 200
    told = await do(place, f"work/{ID}/progress", {"claim": token, "percent": 40, "note": "tests first"})
    assert told.status == 202
    me = f"/api/agents/{place.tokens[Role.AGENT].id}"
    assert (await place.ask("GET", me, Role.VIEWER)).json["progress"]["percent"] == 40


async def test_a_lost_claim_is_told_and_the_work_is_open_again(place: Place) -> None:
    token = (await claimed(place)).json["claim"]
    released = await do(place, f"tasks/improvement/{ID}/release", role=Role.OPERATOR)
    assert released.status == 202
    assert (await do(place, f"work/{ID}/renew", {"claim": token})).status == 409
    assert (await finish(place, token)).status == 409
    assert (await do(place, f"work/{ID}/claim")).json["claim"] > token


async def test_who_leaves_gives_back_what_is_held(place: Place) -> None:
    token = (await claimed(place)).json["claim"]
    left = await do(place, "agents/leave", {"reason": "enough"})
    assert (left.status, left.json["present"], left.json["holding"]) == (202, False, [])
    assert (await place.book.state(IMPROVEMENT, ID)).claim is None
    assert (await do(place, f"work/{ID}/renew", {"claim": token})).status == 409


async def test_a_key_claims_once(place: Place) -> None:
    await do(place, "agents", HAND)
    first, again = [await do(place, f"work/{ID}/claim", {}, "one") for _ in range(2)]
    assert (first.status, again.status) == (201, 201)
    assert first.json["claim"] == again.json["claim"]
    assert (await do(place, f"work/{ID}/claim", {"seconds": 60}, "one")).status == 422
    for what, more, status in (
        ("renew", {}, 200),
        ("progress", {"percent": 5}, 202),
        ("release", {"reason": "too hard"}, 202),
    ):
        body, before = {"claim": first.json["claim"], **more}, await place.book.store.head()
        said = [await do(place, f"work/{ID}/{what}", body, "two") for _ in range(2)]
        assert [one.status for one in said] == [status, status], what
        assert said[1].json == {**said[0].json, **({"repeated": True} if status == 202 else {})}
        assert await place.book.store.head() == before + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"patch": "rm -rf /"},
        {"patch": ""},
        {"patch": "x" * 500_001},
        {"patch": PATCH + "\0"},
        {"proofs": []},
        {"proofs": [{"behaviour": "b", "tests": []}]},
        {"summary": ""},
    ],
)
async def test_a_delivery_that_is_none_is_refused(place: Place, wrong: dict[str, Any]) -> None:
    token = (await claimed(place)).json["claim"]
    assert (await finish(place, token, **wrong)).status == 422


async def test_a_delivery_becomes_a_commit_on_the_base_by_the_developer(place: Place) -> None:
    token = (await claimed(place)).json["claim"]
    said = await finish(place, token)
    assert said.status == 202, said.text
    seen = await place.ask("GET", said.headers["Location"], Role.AGENT)
    assert (seen.json["delivered"], seen.json["held_by"]) == (True, "")
    state = await developed(place)
    assert (state.status, state.change.files) == (Status.IMPLEMENTATION_COMPLETE, ("shop.py",))
    repository = Workspace(place.ground.settings.home).repository(TARGET_ID)
    shown = await repository.git("show", f"{state.change.commit}:shop.py")
    assert "return x[0] if x else 0" in shown.text
    recipe = MAKING.validate_json(await place.book.fetch(state.change.recipe))
    assert isinstance(recipe, Written)
    assert recipe.proofs == {"an empty list gives 0": ("tests/test_shop.py::test_empty",)}
    run = await place.book.state(RUN, state.change.run)
    assert run.requested is not None
    assert (run.requested.engine, run.requested.model) == (
        "outside",
        f"outside/{place.tokens[Role.AGENT].id}",
    )


async def test_a_delivery_with_a_secret_is_sealed_and_its_page_shows_the_rest(place: Place) -> None:
    token = (await claimed(place)).json["claim"]
    assert (await finish(place, token, PATCH.replace("else 0", f'else "{SECRET}"'))).status == 202
    state = await developed(place)
    events, _ = await place.book.store.read(IMPROVEMENT.name, ID)
    (delivered,) = [
        fact for fact in (read_fact(one.envelope) for one in events) if isinstance(fact, ChangeDelivered)
    ]
    for ref in (delivered.patch, state.change.patch):
        assert ref.sealed_for == f"improvement/{ID}"
        assert SECRET.encode() not in await place.book.artefacts.get(ref.sha256)
        assert SECRET.encode() in await place.book.fetch(ref)
    await place.seen()
    page = await place.ask("GET", f"/ai/improvements/{ID}", Role.OPERATOR)
    assert (page.status, SECRET in page.text, "else &#34;[***]&#34;" in page.text) == (200, False, True)


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        (PATCH.replace("x[0]\n", "y[0]\n"), "does not apply"),
        (PATCH.replace("shop.py", "../shop.py"), "does not apply"),
        (PATCH.replace("a/shop.py", "a/.git/config").replace("b/shop.py", "b/.git/config"), "does not apply"),
        ("--- /dev/null\n+++ b/.git/hooks/x\n@@ -0,0 +1 @@\n+#!/bin/sh\n", "does not apply"),
    ],
)
async def test_what_is_no_change_of_the_base_is_refused_with_the_reason(
    place: Place, patch: str, why: str
) -> None:
    token = (await claimed(place)).json["claim"]
    assert (await finish(place, token, patch)).status == 202
    state = await developed(place)
    assert state.change is None
    assert state.delivered is None
    events, _ = await place.book.store.read(IMPROVEMENT.name, ID)
    reasons = [
        one.envelope.data["reason"] for one in events if one.envelope.address.fact == "delivery_refused"
    ]
    assert len(reasons) == 1
    assert why in reasons[0]
