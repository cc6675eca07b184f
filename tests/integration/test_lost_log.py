"""A log that was deleted, or lost its end, takes no event until it has all again; every refusal says how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.session import Exit
from services.runtime.ground import Ground
from services.runtime.settings import load
from tests import cut_log
from tests.cli_place import Ended, Place
from tests.conftest import run
from tests.log_server import PASSWORDS, LogServer
from tests.projection_facts import CYCLE, tell
from tests.told_place import END, Told, told_place

pytestmark = pytest.mark.slow
CURE = "aps restore --journal"


async def delete(ground: Ground) -> None:
    """Remove the stream of the log."""
    connection = await ground.connect("admin")
    try:
        await cut_log.delete(connection)
    finally:
        await connection.close()


async def cut(ground: Ground, keep: int) -> None:
    """Let the log have its first events alone."""
    connection = await ground.connect("admin")
    try:
        await cut_log.cut(connection, keep)
    finally:
        await connection.close()


@pytest.fixture
def place(home: Path) -> Iterator[Told]:
    with told_place(home) as told:
        yield told


def assert_refused(ended: Ended, state: str) -> None:
    assert ended.code == Exit.FAILED, ended
    assert f"the log {state}" in ended.err
    assert f"the views are at {END}" in ended.err
    assert CURE in ended.err


def test_a_deleted_log_takes_no_event_until_the_journal_put_it_back(place: Told) -> None:
    run(delete(place.ground))
    assert_refused(place.aps("pause"), "is gone")
    status = place.aps("status", "--json")
    assert (status.code, status.said["state"]) == (Exit.FAILED, "failed"), status
    checks = {one["name"]: one for one in place.aps("doctor", "--json").said["checks"]}
    assert "the log is gone" in checks["streams"]["detail"]
    assert CURE in checks["streams"]["cure"]
    setup = place.aps("setup")
    assert_refused(setup, "is gone")
    assert "nothing was declared" in setup.err
    assert_refused(place.aps("pause"), "is gone")
    restored = place.aps("restore", "--journal", "--json")
    assert (restored.code, restored.said["put"], restored.said["faults"]) == (Exit.OK, END, [])
    assert place.aps("setup").code == Exit.OK
    assert place.aps("pause").code == Exit.OK


def test_a_log_that_lost_its_end_is_read_and_takes_no_event_until_the_journal_put_it_back(
    place: Told,
) -> None:
    run(cut(place.ground, END - 3))
    for command in (("pause",), ("run", "pm"), ("up", "--port", "0")):
        assert_refused(place.aps(*command), f"ends at {END - 3}, ")
    assert "3 events are gone from the log" in place.aps("pause").err
    verified = place.aps("events", "verify", "--json")
    assert (verified.code, verified.said["events"]) == (Exit.FAILED, END - 3), verified
    restored = place.aps("restore", "--journal", "--json")
    assert (restored.code, restored.said["put"], restored.said["faults"]) == (Exit.OK, 3, [])
    assert place.aps("pause").code == Exit.OK


def test_servers_of_ones_own_are_guarded_as_those_brought_along(
    home: Path, server: LogServer, database: str
) -> None:
    names = {"NATS_URL": server.url, "DATABASE_URL": database, "SECRET_KEY_BASE": "s" * 64, **PASSWORDS}
    place = Place(home)

    def aps(*words: str) -> Ended:
        return place.aps(*words, **names)

    async def tell_all() -> None:
        async with Ground(load({"APS_HOME": str(home), **names}), server.url, database).log("admin") as (
            _,
            book,
        ):
            await tell(book.store, CYCLE)

    async def delete_all() -> None:
        async with server.connection("admin") as admin:
            await cut_log.delete(admin)

    assert aps("setup").code == Exit.OK
    run(tell_all())
    assert aps("improvements", "list").code == Exit.OK
    run(delete_all())
    assert_refused(aps("pause"), "is gone")
    setup = aps("setup")
    assert_refused(setup, "is gone")
    assert "remove their streams, and the schemas aps and aps_evidence of the database" in setup.err
    restored = aps("restore", "--journal", "--json")
    assert (restored.code, restored.said["put"], restored.said["faults"]) == (Exit.OK, END, []), restored
    assert aps("pause").code == Exit.OK
