"""The board of improvements: searched, put in order, cut and counted by the database."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from projections.views.board_search import Order, Search
from schemas.access import Role
from schemas.improvement import Status
from tests import projection_facts as f
from tests.gateway_place import Place, ground_at, open_place
from tests.log_server import LogServer
from tests.projection_facts import CYCLE, tell

MANY = 130
TITLES = {2: "Half of 100% done", 3: "snake_case names", 4: "A back\\slash", 5: "Remove unused imports too"}


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    ground = ground_at(server, database, tmp_path, free_port)
    async with open_place(ground) as opened:
        async with ground.log("admin") as (_, everybody):
            more = [
                ("improvement", f"imp-{n}", f.discovered(n, TITLES.get(n, f"Number {n}")))
                for n in range(2, MANY + 1)
            ]
            await tell(everybody.store, [*CYCLE, *more])
        await opened.seen()
        yield opened


async def found(place: Place, search: Search, order: Order = Order.RANK) -> list[str]:
    return [row.id for row in await place.views.found(search, order)]


async def page(place: Place, **query: object) -> str:
    sent = aiohttp.FormData({"token": place.tokens[Role.VIEWER].text})
    async with place.session.post(f"{place.url}/enter", data=sent, allow_redirects=False) as answer:
        cookie = {"Cookie": f"aps_session={answer.cookies['aps_session'].value}"}
    said = await place.ask("GET", f"/ai/improvements?{urlencode(query)}", headers=cookie)
    assert said.status == 200, said.text
    return said.text


async def test_each_word_is_looked_for_as_it_is_written_anywhere_and_in_either_case(place: Place) -> None:
    for words, ids in (
        (("REMOVE", "unused"), ["imp-1", "imp-5"]),
        (("100%",), ["imp-2"]),
        (("e_c",), ["imp-3"]),
        (("\\",), ["imp-4"]),
        (("imp-13", "number"), ["imp-13", "imp-130"]),
        (("a.py", "imp-7"), ["imp-7", *(f"imp-7{n}" for n in range(10))]),
        (("nowhere",), []),
    ):
        assert await found(place, Search(words=words)) == ids, words


async def test_rows_stand_in_the_order_that_is_asked_for(place: Place) -> None:
    assert (await found(place, Search()))[:3] == ["imp-1", "imp-2", "imp-3"]
    assert (await found(place, Search(), Order.NEWEST))[0] == f"imp-{MANY}"
    assert (await found(place, Search(), Order.RISK))[0] == "imp-1"
    assert (await found(place, Search(), Order.STATUS))[0] == "imp-1"


async def test_counts_are_those_of_the_search_at_its_moment(place: Place) -> None:
    found_then = (await place.views.timeline("imp-1"))[0].seq
    assert await place.views.counted(Search()) == {
        Status.DEPLOYMENT_COMPLETE: 1,
        Status.INITIALIZED: MANY - 1,
    }
    assert await place.views.counted(Search(at_seq=found_then)) == {Status.INITIALIZED: 1}
    assert await place.views.counted(Search(statuses=(Status.DEPLOYMENT_COMPLETE,), target="toolz")) == {
        Status.DEPLOYMENT_COMPLETE: 1
    }
    assert await place.views.counted(Search(target="other")) == {}
    assert await place.views.counted(Search(blocked=True)) == {}


async def test_a_full_column_shows_its_beginning_its_number_and_the_way_to_the_rest(place: Place) -> None:
    text = await page(place)
    assert text.count("data-key") == 31
    assert 'Found <span class="soft">129</span>' in text
    assert re.search(r'href="\?[^"]*stage=found[^"]*">All 129<', text)


async def test_a_table_goes_on_over_pages_that_keep_the_search(place: Place) -> None:
    first, second = [await page(place, shown="table", q="number", page=n) for n in (1, 2)]
    ids = [re.findall(r'data-key="([^"]+)"', text) for text in (first, second)]
    assert [len(one) for one in ids] == [100, 25]
    assert not set(ids[0]) & set(ids[1])
    assert re.search(r'rel="next" href="\?[^"]*q=number[^"]*page=2', first)
    assert 'rel="next"' not in second


async def test_a_stage_shows_its_statuses_alone(place: Place) -> None:
    assert re.findall(r'data-key="([^"]+)"', await page(place, shown="table", stage="landed")) == ["imp-1"]
    assert "Nothing fits" in await page(place, stage="proven")
