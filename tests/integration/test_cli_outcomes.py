"""How decisions of a person end, as whole programs: exit codes, words on stderr, JSON on stdout."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from events.improvement_facts import ChangeApproved, ChangeDeclined, RollbackRequested
from services.cli.session import Exit
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, set_up
from services.runtime.settings import load
from tests import projection_facts as f
from tests.cli_place import Ended, Place
from tests.conftest import run
from tests.projection_facts import Told, tell

HOSTILE = "gone \x1b[2J[bold]\u202e"
IDS = ("landed", "landed-too", "asked-for", "proven", "declined", "found")


def proven(id: str) -> tuple[Told, ...]:
    facts = (
        f.discovered(title=f"Remove {id}"),
        f.claimed(),
        f.specified(),
        f.claimed("architect-1", "design"),
        f.designed(),
        f.claimed("developer-1", "change"),
        f.implemented(),
        f.validated(),
    )
    return tuple(("improvement", id, fact) for fact in facts)


def landed(id: str) -> tuple[Told, ...]:
    approved = ChangeApproved(commit="f" * 40, reason="low risk")
    return (*proven(id), ("improvement", id, approved), ("improvement", id, f.deployed()))


def story(target: Path) -> tuple[Told, ...]:
    return (
        ("target", "toolz", f.registered().model_copy(update={"path": str(target)})),
        *f.CYCLE[1:3],
        ("target", "toolz", f.scanned().model_copy(update={"improvements": IDS})),
        *f.CYCLE[4:6],
        *landed("landed"),
        *landed("landed-too"),
        *landed("asked-for"),
        ("improvement", "asked-for", RollbackRequested(reason="a command that was interrupted")),
        *proven("proven"),
        *proven("declined"),
        ("improvement", "declined", ChangeDeclined(reason="not here")),
        ("improvement", "found", f.discovered(2, HOSTILE)),
    )


@dataclass(frozen=True)
class Story(Place):
    """A data folder whose servers run and whose log holds the story; its commands are about improvements."""

    def aps(self, *words: str, **settings: str) -> Ended:
        """Run a command about improvements to its end."""
        return super().aps("improvements", *words, **settings)

    def row(self, id: str, *words: str) -> dict[str, Any]:
        """Return the row of an improvement."""
        rows = self.aps("list", *words, "--json").said
        return next(row for row in rows if row["id"] == id)


async def record(servers: EmbeddedServers, home: Path, facts: tuple[Told, ...]) -> None:
    ground = Ground(load({"APS_HOME": str(home)}), servers.nats_url, servers.database_url, servers)
    await set_up(ground)
    async with ground.log("admin") as (_, book):
        await tell(book.store, facts)


@pytest.fixture(scope="module")
def place(open_home: Path, nats_configuration: Path) -> Iterator[Story]:
    home = open_home / f"decisions {uuid4().hex[:6]}"
    servers = EmbeddedServers(home, configuration=nats_configuration)
    run(servers.join())
    # Nothing of the story stands in this repository, so that what the Deployer is asked for is refused.
    subprocess.run(["git", "init", "--quiet", "--bare", home / "toolz"], check=True)
    run(record(servers, home, story(home / "toolz")))
    yield Story(home)
    run(servers.leave())
    shutil.rmtree(home)


def test_a_title_of_the_target_moves_no_cursor(place: Story) -> None:
    shown = place.aps("list")
    assert "gone \\x1b[2J[bold]\\u202e" in shown.out
    assert "\x1b" not in shown.out + shown.err


def test_the_time_a_row_shows_names_the_moment_it_began(place: Story) -> None:
    row = place.row("proven")
    assert place.row("proven", "--at", row["updated_at"]) == row


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("approve", "provn"), Exit.NOT_FOUND, "nearest: proven"),
        (("show", "proven", "--at", "99999"), Exit.NOT_FOUND, "the log ends at"),
        (("list", "--at", "yesterday"), Exit.USAGE, "neither a sequence, nor a time"),
        (("list", "--target", "tolz"), Exit.NOT_FOUND, "nearest: toolz"),
        (("rollback", "landed", "--all"), Exit.USAGE, "--all"),
        (("approve", "found"), Exit.CONFLICT, "initialized"),
        (("retry", "landed"), Exit.CONFLICT, "it is deployment complete"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_says_why_with_its_exit_code(
    place: Story, words: tuple[str, ...], code: Exit, told: str
) -> None:
    ended = place.aps(*words)
    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err
    assert "Traceback" not in ended.err


def test_one_that_cannot_be_decided_keeps_all_others_from_it(place: Story) -> None:
    assert place.aps("decline", "proven", "found").code == Exit.CONFLICT
    assert place.row("proven")["status"] == "testing_complete"


def test_a_decision_that_was_interrupted_is_followed_to_its_end(place: Story) -> None:
    ended = place.aps("rollback", "asked-for", "--json")
    assert "asked-for is under way already" in ended.err
    assert (ended.code, ended.said[0]["status"]) == (Exit.FAILED, "deployment_complete")


def test_what_cannot_be_taken_back_says_why_and_stays(place: Story) -> None:
    ended = place.aps("rollback", "landed", "landed-too", "--json")
    assert ended.code == Exit.FAILED, ended.err
    assert {one["status"] for one in ended.said} == {"deployment_complete"}
    assert "the branch aps/improved is gone from the target" in ended.err


def test_a_person_waits_no_longer_than_asked(place: Story) -> None:
    ended = place.aps("retry", "declined", "--timeout", "1")
    assert ended.code == Exit.TIMED_OUT, ended.err
