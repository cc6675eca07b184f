"""A log that was deleted is never begun a second time behind a person's back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.session import Exit
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, set_up
from services.runtime.settings import load
from tests.cli_place import Place
from tests.conftest import run
from tests.projection_facts import CYCLE, tell

pytestmark = pytest.mark.slow
END = len(CYCLE)


async def delete(ground: Ground) -> None:
    """Remove the stream of the log behind everybody's back."""
    connection = await ground.connect("admin")
    try:
        await connection.request("$JS.API.STREAM.DELETE.APS", timeout=10)
    finally:
        await connection.close()


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    place, servers = Place(home), EmbeddedServers(home)

    async def begin() -> Ground:
        await servers.join()
        ground = Ground(load({"APS_HOME": str(home)}), servers.nats_url, servers.database_url, servers)
        await set_up(ground)
        async with ground.log("admin") as (_, book):
            await tell(book.store, CYCLE)
        return ground

    ground = run(begin())
    assert place.aps("improvements", "list").code == Exit.OK
    run(delete(ground))
    yield place
    run(servers.leave())
    run(EmbeddedServers(home).erase())


def refused(place: Place, state: str) -> None:
    """Try to write."""
    paused = place.aps("pause")
    assert paused.code == Exit.FAILED, paused
    assert f"the log is {state}" in paused.err
    assert f"the views are at {END}" in paused.err
    assert "aps restore --journal" in paused.err


def test_a_deleted_log_takes_no_event_until_the_journal_put_it_back(place: Place) -> None:
    refused(place, "gone")
    status = place.aps("status", "--json")
    assert (status.code, status.said["state"]) == (Exit.FAILED, "failed"), status
    checks = {one["name"]: one for one in place.aps("doctor", "--json").said["checks"]}
    assert "the log is gone" in checks["streams"]["detail"]
    assert "aps restore --journal" in checks["streams"]["cure"]
    refused(place, "gone")
    setup = place.aps("setup")
    assert (setup.code, "aps restore --journal" in setup.err) == (Exit.OK, True), setup
    refused(place, "empty")
    restored = place.aps("restore", "--journal", "--json")
    assert (restored.code, restored.said["put"], restored.said["faults"]) == (Exit.OK, END, [])
    assert place.aps("pause").code == Exit.OK
