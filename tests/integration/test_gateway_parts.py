"""What a narrowed token sees of the pages: each part in the scope of the API's answer, from the one table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.access import Role, Scope
from services.access.tokens import grant
from services.gateway.app import ROUTES
from services.gateway.pages.parts import ANSWERING, PARTS, Part
from tests.gateway_place import CAUSE, Place, Said, ground_at, open_place
from tests.log_server import LogServer
from tests.projection_facts import CYCLE, claimed, discovered, tell

SCOPES = {(route.method, route.path): Scope(route.scope) for route in ROUTES if route.scope}
ADDRESSES = {"/ai/improvements/{id}": "/ai/improvements/imp-1", "/ai/runs/{id}": "/ai/runs/r1"}
SHOWN = {
    ("/", "waiting"): "Nothing waits.",
    ("/", "flight"): "improvement imp-2",
    ("/", "targets"): "/ai/improvements?target=toolz",
    ("/", "spend"): "No engine was called yet.",
    ("/", "latest"): "Remove unused imports",
    ("/ai/improvements/{id}", "calls"): "tokens in, ",
    ("/ai/improvements/{id}", "deployments"): '<th scope="col">Branch</th>',
    ("/ai/improvements/{id}", "raw"): "aps.improvement.discovered",
    ("/ai/runs/{id}", "happened"): 'href="/api/events/',
    ("/ai/metrics", "choice"): '<select name="target"',
    ("/ai/metrics", "deployments"): "dep-1",
    ("/ai/settings", "budgets"): "No engine was called yet.",
}
ONLY_IN_TROUBLE = {("/", "applied"), ("/ai/runs/{id}", "suspicions")}


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        async with opened.ground.log("admin") as (_, everybody):
            under_way = [("improvement", "imp-2", discovered(2)), ("improvement", "imp-2", claimed())]
            await tell(everybody.store, [*CYCLE, *under_way])
        await opened.seen()
        yield opened


async def looked(place: Place, page: str, *scopes: Scope) -> Said:
    role = Role.ADMIN if page == "/ai/settings" else Role.VIEWER
    made = await grant(place.book, "narrow", role, CAUSE, scopes=scopes)
    own = {"Authorization": f"Bearer {made.text}"}
    said = await place.ask("GET", ADDRESSES.get(page, page), headers=own)
    assert said.status == 200, (page, scopes, said.text)
    return said


def left_out(said: Said, part: Part, scope: Scope) -> bool:
    """Whether the part of a page is its one sentence."""
    _, found, rest = said.text.partition(f'id="{part.id}"')
    section = rest.partition("<h2")[0]
    return bool(found) and f"left out: a token with the scope {scope} shows" in section.replace(
        "Left", "left"
    )


def wrong_with(said: Said, part: Part, scope: Scope, given: tuple[Scope, ...]) -> str:
    """Return what is wrong with a part of a page that a token of some scopes was shown."""
    marker = SHOWN.get((part.page, part.id))
    may = scope in given or not given
    if left_out(said, part, scope) == may:
        return f"{part} to {given or 'all'}: {'left out' if may else 'not said to be left out'}"
    if marker is not None and (marker in said.text) != may:
        return f"{part} to {given or 'all'}: {'not shown' if may else 'shown'}"
    return ""


def test_every_part_is_watched() -> None:
    assert {(part.page, part.id) for part in PARTS} == {*SHOWN, *ONLY_IN_TROUBLE}


def test_a_part_stands_in_the_scope_in_which_programs_are_answered_the_same() -> None:
    for part in PARTS:
        scope = Scope(ANSWERING[part.api].scope)
        assert scope is SCOPES["GET", part.api]
        assert scope is not SCOPES["GET", part.page], f"{part} needs no word of its own"


async def test_a_page_shows_each_part_to_those_scopes_alone_that_the_api_gives_it_to(place: Place) -> None:
    wrong = []
    for page in dict.fromkeys(part.page for part in PARTS):
        own = SCOPES["GET", page]
        for given in ((own,), *((own, other) for other in Scope if other is not own), ()):
            said = await looked(place, page, *given)
            parts = [part for part in PARTS if part.page == page]
            wrong += [wrong_with(said, part, Scope(ANSWERING[part.api].scope), given) for part in parts]
    assert [one for one in wrong if one] == []
