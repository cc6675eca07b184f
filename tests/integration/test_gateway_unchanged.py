"""One improvement that has not changed is not sent again, and its ETag stays what a decision names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.access import Role
from tests.gateway_place import Place, Said, ground_at, open_place
from tests.log_server import LogServer
from tests.projection_facts import discovered, tell

PATH = "/api/improvements/imp-1"


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        async with opened.ground.log("admin") as (_, everybody):
            await tell(everybody.store, [("improvement", "imp-1", discovered())])
        await opened.seen()
        yield opened


async def asked(place: Place, known: str = "", query: str = "") -> Said:
    return await place.ask(
        "GET", f"{PATH}{query}", Role.VIEWER, headers={"If-None-Match": known} if known else None
    )


async def moved(place: Place, rank: int, tag: str) -> None:
    said = await place.ask("POST", f"{PATH}/priority", Role.OPERATOR, {"rank": rank}, {"If-Match": tag})
    assert said.status == 202, said.text
    await place.seen()


@pytest.mark.parametrize("known", ["{tag}", "W/{tag}", '"other", {tag}', "*"])
async def test_who_knows_an_improvement_as_it_stands_is_told_that_it_stands_so(
    place: Place, known: str
) -> None:
    tag = (await asked(place)).headers["ETag"]
    said = await asked(place, known.format(tag=tag))
    assert (said.status, said.text, said.headers["ETag"]) == (304, "", tag)
    assert said.headers["Cache-Control"] == "no-cache"


async def test_what_was_known_is_sent_anew_once_it_has_moved(place: Place) -> None:
    tag = (await asked(place)).headers["ETag"]
    await moved(place, 9, tag)
    said = await asked(place, tag)
    assert (said.status, said.json["rank"]) == (200, 9)
    assert said.headers["ETag"] != tag
    await moved(place, 5, said.headers["ETag"])


async def test_the_past_is_told_anew_when_its_end_became_known_and_then_never_again(place: Place) -> None:
    then = f"?at={await place.seen()}"
    tag = (await asked(place, query=then)).headers["ETag"]
    assert (await asked(place, tag, then)).status == 304
    await moved(place, 9, tag)
    said = await asked(place, tag, then)
    assert (said.status, said.json["rank"]) == (200, 1)
    assert said.json["valid_to_seq"] is not None
    assert (await asked(place, said.headers["ETag"], then)).status == 304


async def test_nobody_knows_what_there_is_not(place: Place) -> None:
    said = await place.ask("GET", "/api/improvements/none", Role.VIEWER, headers={"If-None-Match": "*"})
    assert said.status == 404
