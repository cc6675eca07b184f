"""An event that does not link, or stands on another's subject, stops the projector; what it and `aps doctor`
name lets an operator go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from events.envelope import decode
from events.evidence.export import Exported, decoded
from events.jetstream.stream_reader import Stored, StreamReader
from events.subjects import STREAM
from services.cli.session import Exit
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, set_up
from services.runtime.settings import load
from tests import projection_facts as f
from tests.cli_place import Place
from tests.conftest import run
from tests.projection_facts import CYCLE, tell

pytestmark = pytest.mark.slow
END = len(CYCLE)
COMMAND = "aps restore --journal --anew --lose 2"


async def fill(ground: Ground) -> None:
    """Tell a cycle."""
    async with ground.log("admin") as (_, book):
        await tell(book.store, CYCLE)


def unlinked(first: Stored) -> tuple[str, bytes]:
    """The event once more as another version, sealed well."""
    return first.subject, replace(decode(first.body), id="again", sequence=1000).sealed().encode()


def misplaced(first: Stored) -> tuple[str, bytes]:
    """The event once more, on the subject of another improvement."""
    subject = first.subject.replace("imp-1", "imp-7")
    assert subject != first.subject
    return subject, first.body


WRONG = {"does not link": unlinked, "imp-7.discovered holds a": misplaced}


async def spoil(ground: Ground, wrong: Callable[[Stored], tuple[str, bytes]]) -> None:
    """Tell as pm something wrong, and a sound event after it."""
    async with ground.log("admin") as (connection, book), ground.log("pm") as (pm, _):
        page = await StreamReader(connection, STREAM).page(0, END)
        first = next(one for one in page if one.subject.endswith(".discovered"))
        await pm.request(*wrong(first), timeout=5)
        await tell(book.store, [("improvement", "imp-2", f.discovered(2))])


@pytest.fixture(params=WRONG)
def words(request: pytest.FixtureRequest) -> str:
    """What is said of what is wrong."""
    return str(request.param)


@pytest.fixture
def place(home: Path, words: str) -> Iterator[Place]:
    place = Place(home)
    servers = EmbeddedServers(home)

    async def begin() -> Ground:
        await servers.join()
        ground = Ground(load({"APS_HOME": str(home)}), servers.nats_url, servers.database_url, servers)
        await set_up(ground)
        await fill(ground)
        return ground

    ground = run(begin())
    assert place.aps("improvements", "list").code == Exit.OK
    run(spoil(ground, WRONG[words]))
    yield place
    run(servers.leave())
    run(EmbeddedServers(home).erase())


def test_it_halts_the_views_and_the_command_that_is_named_goes_on_without_it(
    place: Place, words: str
) -> None:
    for halted in (place.aps("improvements", "list"), place.aps("restore", "--journal")):
        assert (halted.code, words in halted.err, COMMAND in halted.err) == (Exit.FAILED, True, True), halted
    checks = {one["name"]: one for one in place.aps("doctor", "--json").said["checks"]}
    assert words in checks["projections"]["detail"]
    assert COMMAND in checks["projections"]["cure"]
    anew = ("restore", "--journal", "--anew", "--yes")
    for refused in (place.aps(*anew), place.aps(*anew, "--lose", "1"), place.aps(*anew, "--lose", "3")):
        assert (refused.code, COMMAND in refused.err) == (Exit.CONFLICT, True), refused
        assert f"  {END + 1} aps.v1.improvement." in refused.err
        assert f"  {END + 2} aps.v1.improvement.imp-2.discovered" in refused.err
    assert list(place.home.glob("dropped-*")) == []
    done = place.aps(*anew, "--lose", "2", "--json")
    assert (done.code, done.said["put"], done.said["dropped"]) == (Exit.OK, END, 2), done
    (file,) = place.home.glob("dropped-*")
    assert (done.said["kept_in"], str(file) in done.err) == (str(file), True)
    kept = [line for line in map(decoded, file.read_bytes().splitlines()) if isinstance(line, Exported)]
    assert [line.seq for line in kept] == [END + 1, END + 2]
    assert kept[0].subject.endswith("imp-7.discovered") or decode(kept[0].body).id == "again"
    assert place.aps("improvements", "list").code == Exit.OK
    assert place.aps("events", "verify", "--json").said["events"] == END
    again = place.aps(*anew, "--lose", "2")
    assert (again.code, "leave out --lose" in again.err) == (Exit.CONFLICT, True)


def test_losing_events_is_said_together_with_anew_alone(home: Path) -> None:
    assert Place(home).aps("restore", "--journal", "--lose", "2").code == Exit.USAGE
