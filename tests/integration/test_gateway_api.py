"""What the API promises for every route: conditional reads, commands that happen once, pages, bad input."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from events.access import ACCESS
from events.improvement import IMPROVEMENT
from events.improvement_facts import Abandoned
from schemas.access import Role
from schemas.improvement import Status
from services.access.tokens import grant
from services.gateway.app import ROUTES
from services.gateway.http.bodies import MOST_BYTES
from services.gateway.http.lists import Paged
from tests import projection_facts as f
from tests.gateway_place import CAUSE, Place, ground_at, open_place
from tests.log_server import LogServer
from tests.projection_facts import CYCLE, tell

JSON, HOST = "application/json", "127.0.0.1"
BEFORE_APPROVAL = CYCLE[
    : next(n for n, told in enumerate(CYCLE) if type(told[2]).__name__ == "ChangeApproved")
]


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    """A gateway, an improvement whose change is proven, and three that were found."""
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        async with opened.ground.log("admin") as (_, everybody):
            found = [("improvement", f"imp-{n}", f.discovered(n)) for n in (2, 3, 4)]
            await tell(everybody.store, [*BEFORE_APPROVAL, *found])
        await opened.seen()
        yield opened


async def version(place: Place) -> str:
    said = await place.ask("GET", "/api/improvements/imp-1", Role.VIEWER)
    assert said.json["status"] == Status.TESTING_COMPLETE
    return str(said.headers["ETag"])


async def test_what_has_not_changed_is_not_sent_again_and_what_has_is(place: Place) -> None:
    first = await place.ask("GET", "/api/improvements", Role.VIEWER)
    tag = {"If-None-Match": first.headers["ETag"]}
    again = await place.ask("GET", "/api/improvements", Role.VIEWER, headers=tag)
    assert (again.status, again.text, again.headers["ETag"]) == (304, "", first.headers["ETag"])
    await place.ask("POST", "/api/improvements/imp-2/priority", Role.OPERATOR, {"rank": 9})
    await place.seen()
    moved = await place.ask("GET", "/api/improvements", Role.VIEWER, headers=tag)
    assert moved.status == 200
    assert moved.headers["ETag"] != first.headers["ETag"]


async def test_what_one_role_may_keep_is_no_answer_for_another(place: Place) -> None:
    mine = (await place.ask("GET", "/api/improvements", Role.VIEWER)).headers["ETag"]
    said = await place.ask("GET", "/api/improvements", Role.ADMIN, headers={"If-None-Match": mine})
    assert said.status == 200


async def test_a_decision_on_another_version_than_stands_is_not_taken(place: Place) -> None:
    tag = await version(place)
    path, stale = "/api/improvements/imp-1/approve", {"If-Match": '"1"'}
    before = await place.book.store.head()
    said = await place.ask("POST", path, Role.OPERATOR, {}, stale)
    assert (said.status, said.headers["ETag"], await place.book.store.head()) == (412, tag, before)
    assert (await place.ask("POST", path, Role.OPERATOR, {}, {"If-Match": tag})).status == 202


@pytest.mark.parametrize("sent", ["1", '"x"', "*", ""])
async def test_only_the_very_version_or_any_matches(place: Place, sent: str) -> None:
    said = await place.ask("POST", "/api/improvements/imp-1/approve", Role.OPERATOR, {}, {"If-Match": sent})
    assert said.status == (202 if sent in ("*", "") else 412)


async def test_of_two_who_press_opposite_buttons_one_wins_and_both_are_on_the_log(place: Place) -> None:
    other = await grant(place.book, "other", Role.OPERATOR, CAUSE)
    tag = {"If-Match": await version(place)}
    theirs = {**tag, "Authorization": f"Bearer {other.text}"}
    said = await asyncio.gather(
        place.ask("POST", "/api/improvements/imp-1/approve", Role.OPERATOR, {}, tag),
        place.ask("POST", "/api/improvements/imp-1/decline", None, {}, theirs),
    )
    statuses = sorted(one.status for one in said)
    assert statuses in ([202, 409], [202, 412]), [one.text for one in said]
    state = await place.book.state(IMPROVEMENT, "imp-1")
    assert (state.status is Status.APPROVED) == (said[0].status == 202)
    again = await place.ask("POST", "/api/improvements/imp-1/approve", Role.OPERATOR, {})
    assert again.status == 409
    (mine, his) = [
        (await place.book.state(ACCESS, id)).denied for id in (place.tokens[Role.OPERATOR].id, other.id)
    ]
    assert mine >= 1
    assert mine + his == 1 + (statuses == [202, 409])


async def test_a_list_comes_in_pages_that_miss_and_repeat_nothing(place: Place) -> None:
    ids, after = [], ""
    while after is not None:
        page = (await place.ask("GET", f"/api/improvements?limit=1&after={after}", Role.VIEWER)).json
        ids += [one["id"] for one in page["items"]]
        after = page["next"]
    assert sorted(ids) == ["imp-1", "imp-2", "imp-3", "imp-4"]


async def test_a_page_begins_behind_a_row_that_has_left_the_list_since(place: Place) -> None:
    path = f"/api/improvements?status={Status.INITIALIZED.value}&limit=2"
    first = (await place.ask("GET", path, Role.VIEWER)).json
    last = first["items"][-1]["id"]
    async with place.ground.log("admin") as (_, everybody):
        await tell(everybody.store, [("improvement", last, Abandoned(reason="not wanted"))])
    await place.seen()
    rest = (await place.ask("GET", f"{path}&after={first['next']}", Role.VIEWER)).json
    assert len({one["id"] for one in (*first["items"], *rest["items"])}) == 3
    assert rest["next"] is None


async def test_what_is_no_cursor_of_a_list_is_refused_in_every_list(place: Place) -> None:
    paths = {route.path.replace("{id}", "imp-1") for route in ROUTES if issubclass(route.query, Paged)}
    assert len(paths) == 11
    other = (await place.ask("GET", "/api/improvements?limit=1", Role.VIEWER)).json["next"]
    agent = {"title": "a", "role": "developer"}
    assert (await place.ask("POST", "/api/agents", Role.AGENT, agent)).status == 201
    for path in sorted(paths):
        role = Role.AGENT if path == "/api/work" else Role.ADMIN
        foreign = () if path == "/api/improvements" else (other,)
        for cursor in ("zzz", "imp-1", "é", "_", "bnVsbA", "W10", *foreign):
            said = await place.ask("GET", f"{path}?after={cursor}", role)
            assert (said.status, said.json["errors"]) == (422, ["after: it is no cursor of this list"]), path


async def test_events_come_in_pages_by_sequence(place: Place) -> None:
    seqs, after = [], 0
    while True:
        page = (await place.ask("GET", f"/api/events?limit=7&after={after}", Role.VIEWER)).json
        seqs += [one["seq"] for one in page["items"]]
        if page["next"] is None:
            break
        after = int(page["next"])
    assert seqs[: len(BEFORE_APPROVAL)] == list(range(1, len(BEFORE_APPROVAL) + 1))
    assert seqs == sorted(set(seqs))


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("999999", 404),
        ("soon", 422),
        ("-1", 422),
        ("1.5", 422),
        ("1e3", 422),
        ("9" * 60, 404),
        ("2001-01-01", 404),
    ],
)
async def test_a_moment_that_never_was_is_named(place: Place, at: str, status: int) -> None:
    for path in ("/api/improvements", "/api/improvements/imp-1", "/api/targets"):
        said = await place.ask("GET", f"{path}?at={at}", Role.VIEWER)
        assert said.status == status, said.text
        assert said.headers["Content-Type"].startswith("application/problem+json")


async def send(place: Place, body: bytes, kind: str, path: str = "/api/pause") -> Any:
    headers = {"Authorization": f"Bearer {place.tokens[Role.OPERATOR].text}", "Content-Type": kind}
    async with place.session.post(f"{place.url}{path}", data=BytesIO(body), headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{}", "application/jsonp", 415),
        (b'{"reason": ', JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[]", JSON, 422),
        (b"1", JSON, 422),
        (b'{"reason": 1}', JSON, 422),
        (b'{"reason": "\\ud800"}', JSON, 422),
        (b'{"reason": "x", "more": 1}', JSON, 422),
        (b'{"reason": ' + b"9" * 400 + b"}", JSON, 422),
        (b'"' + b"x" * MOST_BYTES + b'"', JSON, 413),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_by_name(
    place: Place, body: bytes, kind: str, status: int
) -> None:
    before = await place.book.store.head()
    found, problem = await send(place, body, kind)
    assert (found, problem["status"]) == (status, status), problem
    assert await place.book.store.head() == before


async def test_a_number_that_is_too_long_to_be_read_is_told_in_our_words(place: Place) -> None:
    status, problem = await send(place, b'{"reason": ' + b"9" * 5000 + b"}", JSON)
    assert (status, problem["detail"]) == (
        400,
        "a number in the body has more than 4300 digits: no field takes such",
    )


def raw(place: Place, length: int) -> bytes:
    lines = [
        "POST /api/pause HTTP/1.1",
        f"Host: {HOST}",
        f"Authorization: Bearer {place.tokens[Role.OPERATOR].text}",
        f"Content-Type: {JSON}",
        f"Content-Length: {length}",
    ]
    return "\r\n".join((*lines, "", "")).encode()


async def test_a_hundred_megabytes_are_refused_before_they_are_read(place: Place) -> None:
    reader, writer = await asyncio.open_connection(HOST, place.ground.settings.port)
    writer.write(raw(place, 100 << 20) + b"{")
    async with asyncio.timeout(10):
        assert b" 413 " in await reader.readline()
    writer.close()


async def test_a_slow_client_holds_nobody_up_and_leaves_nothing(place: Place) -> None:
    before = await place.book.store.head()
    slow = [await asyncio.open_connection(HOST, place.ground.settings.port) for _ in range(20)]
    for _, writer in slow:
        writer.write(raw(place, 100) + b'{"reason"')
        await writer.drain()
    assert (await place.ask("GET", "/api/improvements", Role.VIEWER)).status == 200
    for _, writer in slow:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    assert (await place.ask("GET", "/api/improvements", Role.VIEWER)).status == 200
    assert await place.book.store.head() == before


@pytest.mark.parametrize("id", ["none", "%00", "%ff", "a.b", "a%2Fb", "*", ">", "x" * 300])
async def test_an_unknown_id_is_told_whatever_it_looks_like(place: Place, id: str) -> None:
    for path in (f"/api/improvements/{id}", f"/api/improvements/{id}/timeline", f"/api/requests/{id}"):
        said = await place.ask("GET", path, Role.VIEWER)
        assert said.status in (404, 422), path  # what PostgreSQL cannot hold is no text at all
    for path in (f"/api/improvements/{id}/approve", f"/api/runs/{id}/cancel", f"/api/targets/{id}/pause"):
        assert (await place.ask("POST", path, Role.OPERATOR, {})).status == 404, path


LET_IN = (200, 429)  # who asks without a pause is told to wait, and is known all the same


async def test_a_token_that_ran_out_lets_nobody_in(place: Place) -> None:
    soon = await grant(place.book, "soon", Role.VIEWER, CAUSE, timedelta(milliseconds=500))
    headers = {"Authorization": f"Bearer {soon.text}"}
    async with asyncio.timeout(30):
        while (said := await place.ask("GET", "/api/tasks", headers=headers)).status in LET_IN:
            continue
    assert (said.status, "expired" in said.json["detail"]) == (401, True)


async def test_the_page_of_the_api_names_every_operation_to_who_may_look(place: Place) -> None:
    said = await place.ask("GET", "/api", Role.VIEWER)
    assert (said.status, said.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    paths = (await place.ask("GET", "/api/openapi.json")).json["paths"]
    assert len(paths) > 40
    assert [path for path in paths if path not in said.text] == []
    assert (await place.ask("GET", "/api", Role.AGENT)).status == 403


@pytest.mark.parametrize(("query", "headers"), [("?after=999999", {}), ("", {"Last-Event-ID": "999999"})])
async def test_who_listens_from_beyond_the_end_of_the_log_is_told_that_there_is_no_such_event(
    place: Place, query: str, headers: dict[str, str]
) -> None:
    own = {"Authorization": f"Bearer {place.tokens[Role.VIEWER].text}", **headers}
    async with place.session.get(f"{place.url}/api/events/stream{query}", headers=own) as answer:
        assert answer.status == 404
        said = await answer.json(content_type="application/problem+json")
    assert f"there is no event 999999: the log ends at {await place.book.store.head()}" in said["detail"]


async def test_who_listens_from_the_end_of_the_log_is_let_in(place: Place) -> None:
    own = {"Authorization": f"Bearer {place.tokens[Role.VIEWER].text}"}
    head = await place.book.store.head()
    async with place.session.get(f"{place.url}/api/events/stream?after={head}", headers=own) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", ["/livez", "/api/improvements", "/api/openapi.json", "/ai/improvements"])
async def test_head_answers_as_get_does_without_the_body(place: Place, path: str) -> None:
    whole, bare = [await place.ask(method, path, Role.VIEWER) for method in ("GET", "HEAD")]
    assert (whole.status, bare.status, bare.text) == (200, 200, "")
    assert whole.text
    for name in ("Content-Type", "ETag", "Content-Length"):
        assert bare.headers.get(name) == whole.headers.get(name)


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/api/events/stream"), ("HEAD", "/live"), ("OPTIONS", "/api/improvements")]
)
async def test_a_stream_has_no_head_and_nothing_has_options(place: Place, method: str, path: str) -> None:
    assert (await place.ask(method, path, Role.VIEWER)).status == 405


async def test_a_page_that_is_not_there_is_told_to_people_as_a_page_and_to_programs_as_a_problem(
    place: Place,
) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = await place.ask("GET", "/ai/anything-unknown", Role.VIEWER, headers=browser)
    assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page." in page.text
    assert "script-src" in page.headers["Content-Security-Policy"]
    for path, headers in (("/ai/anything-unknown", {"Accept": "*/*"}), ("/api/nothing", browser)):
        said = await place.ask("GET", path, Role.VIEWER, headers=headers)
        assert (said.status, said.headers["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("days", True),
        ("days", "3"),
        ("days", 3.0),
        ("days", 0),
        ("title", "a\nb"),
        ("title", "a\r"),
        ("title", "b\n"),
        ("title", "a\u2028b"),
    ],
)
async def test_a_token_is_granted_for_a_title_of_one_line_and_days_that_are_a_number(
    place: Place, name: str, given: object
) -> None:
    wanted: dict[str, object] = {"title": "für CI", "role": "viewer", "days": 3}
    said = await place.ask("POST", "/api/tokens", Role.ADMIN, {**wanted, name: given})
    assert said.status == 422
    assert [error.partition(":")[0] for error in said.json["errors"]] == [name]
    assert (await place.ask("POST", "/api/tokens", Role.ADMIN, wanted)).status == 201
