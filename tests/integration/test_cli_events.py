"""The commands about the log and its views, on real servers, as a person runs them."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import orjson
import pytest

from events.envelope import NO_HASH
from events.evidence.export import Exported, decoded
from events.evidence.heads import PublicKey
from projections.views.catalogue import VIEWS
from projections.views.improvement_board import TABLE
from services.cli.session import Exit
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, set_up
from services.runtime.head_keys import key_file, signing_key
from services.runtime.settings import load
from tests import projection_facts as f
from tests.cli_place import Place
from tests.conftest import run
from tests.projection_facts import CYCLE, tell

HOSTILE = "gone \x1b[2J\u202e"
STORY = (*CYCLE, ("improvement", "imp-2", f.discovered(2, HOSTILE)))


@dataclass(frozen=True)
class Cycle(Place):
    """A data folder whose servers run and whose log holds one cycle."""

    servers: EmbeddedServers

    def sql(self, statement: str) -> None:
        """Change the views behind the projector's back."""

        async def execute() -> None:
            connection = await asyncpg.connect(self.servers.database_url)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        run(execute())


async def record(servers: EmbeddedServers, home: Path) -> None:
    ground = Ground(load({"APS_HOME": str(home)}), servers.nats_url, servers.database_url, servers)
    await set_up(ground)
    signing_key(ground.settings)
    async with ground.log("admin") as (_, book):
        await tell(book.store, STORY)


@pytest.fixture(scope="module")
def place(open_home: Path, nats_configuration: Path) -> Iterator[Cycle]:
    home = open_home / f"log {uuid4().hex[:6]}"
    servers = EmbeddedServers(home, configuration=nats_configuration)
    run(servers.join())
    run(record(servers, home))
    yield Cycle(home, servers)
    run(servers.leave())
    shutil.rmtree(home)


@pytest.fixture
def board_of_another_hand(place: Cycle) -> Iterator[None]:
    """One value of the live views is not what the log says."""
    place.aps("replay", "--check")
    place.sql(
        "update aps.improvement_board set title = 'altered' where id = 'imp-1' and valid_to_seq is null"
    )
    yield
    assert place.aps("views", "rebuild").code == Exit.OK


def test_rebuilt_views_equal_the_live_ones(place: Cycle) -> None:
    checked = place.aps("replay", "--check")
    assert (checked.code, checked.err) == (Exit.OK, "")
    assert checked.out.startswith(f"{len(STORY)} events, ")
    assert checked.out.endswith(" rows, equal\n")
    assert int(checked.out.split()[2]) > len(STORY)


@pytest.mark.usefixtures("board_of_another_hand")
def test_an_altered_row_of_the_live_views_is_told(place: Cycle) -> None:
    checked = place.aps("replay", "--check", "--json")
    (difference,) = checked.said["differences"]
    assert (checked.code, checked.said["equal"], checked.said["events"]) == (Exit.FAILED, False, len(STORY))
    assert (difference["view"], difference["column"]) == ("improvement_board", "title")
    told = place.aps("replay", "improvement_board", "--check")
    assert (told.code, 'live "altered", rebuilt "Remove unused imports"' in told.out) == (Exit.FAILED, True)
    assert "rows, 1 difference; " in told.err
    assert place.aps("replay", "timeline", "--check").code == Exit.OK


def test_a_view_is_shown_as_it_was_at_any_event(place: Cycle) -> None:
    before = place.aps("replay", "--until", "6")
    assert (before.code, before.out) == (Exit.OK, "no rows\n")
    assert "improvement_board: 0 rows from 6 events" in before.err
    then = place.aps("replay", "improvement_board", "--until", "16", "--json").said
    assert [(row["id"], row["status"]) for row in then["rows"]] == [("imp-1", "implementation_complete")]
    now = place.aps("replay", "--json").said
    assert {row["id"]: row["status"] for row in now["rows"]}["imp-1"] == "deployment_complete"
    assert set(now["rows"][0]) == set(TABLE.columns)


def test_a_replay_leaves_nothing_behind(place: Cycle) -> None:
    place.aps("replay")
    place.sql(
        "do $$ begin assert not exists (select from pg_namespace"
        " where nspname like 'aps\\_replay%' or nspname like 'aps\\_check%'); end $$"
    )


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("replay", "improvment_board"), Exit.NOT_FOUND, "nearest: improvement_board"),
        (("replay", "--until", "9999"), Exit.NOT_FOUND, f"the log ends at {len(STORY)}"),
        (("replay", "--until", "2001-01-01"), Exit.NOT_FOUND, "no event yet at 2001-01-01"),
        (("replay", "--until", "soon"), Exit.USAGE, "neither a sequence, nor a time"),
        (("replay", "--check", "--until", "3"), Exit.USAGE, "leave --until out"),
        (("events", "show", "9999"), Exit.NOT_FOUND, f"the log has 1 to {len(STORY)}"),
        (("events", "list", "--aggregate", "improvements"), Exit.USAGE, "there are: target, improvement"),
        (("events", "export", "/no/such/folder/log.jsonl"), Exit.USAGE, "/no/such/folder"),
        (("events", "export", "/"), Exit.USAGE, "name a file"),
        (("process", "export", "imp-3"), Exit.NOT_FOUND, "nearest: imp-"),
    ],
)
def test_what_is_not_there_is_told_with_its_exit_code(
    place: Cycle, words: tuple[str, ...], code: int, told: str
) -> None:
    ended = place.aps(*words)
    assert (ended.code, ended.out, told in ended.err) == (code, "", True), ended.err


def test_the_views_are_listed_and_built_anew(place: Cycle) -> None:
    rebuilt = place.aps("views", "rebuild", "--json").said
    assert rebuilt["checkpoint"] == len(STORY)
    listed = place.aps("views", "list", "--json").said
    assert [view["view"] for view in listed["views"]] == [view.name for view in VIEWS]
    assert (listed["checkpoint"], listed["head"], listed["poisoned"]) == (len(STORY), len(STORY), [])
    assert listed["chain"] == rebuilt["chain"] != NO_HASH
    assert sum(view["rows"] for view in listed["views"]) == rebuilt["rows"]


def test_the_log_is_listed_from_a_place_or_its_end(place: Cycle) -> None:
    ended = place.aps("events", "list", "--limit", "2", "--json").said
    assert [event["seq"] for event in ended] == [len(STORY) - 1, len(STORY)]
    begun = place.aps("events", "list", "--after", "0", "--limit", "3", "--aggregate", "target")
    assert [line.split()[0] for line in begun.out.splitlines()] == ["SEQ", "1", "2", "3"]
    assert "registered: toolz" in begun.out


def test_text_of_events_is_shown_without_its_controls(place: Cycle) -> None:
    for words in (("events", "list"), ("events", "show", str(len(STORY))), ("replay",)):
        shown = place.aps(*words).out
        assert "gone" in shown
        assert all(line.isprintable() for line in shown.splitlines())


def test_an_event_is_shown_by_its_place_and_by_its_id(place: Cycle) -> None:
    by_place = place.aps("events", "show", "7", "--json").said
    assert (by_place["seq"], by_place["event"]["data"]["title"]) == (7, "Remove unused imports")
    assert place.aps("events", "show", by_place["event"]["id"], "--json").said == by_place


def test_the_log_is_followed_a_line_for_each_event(place: Cycle) -> None:
    followed = place.aps("events", "tail", "--lines", "3", "--limit", "3", "--json")
    assert [orjson.loads(line)["seq"] for line in followed.out.splitlines()] == [
        len(STORY) - 2,
        len(STORY) - 1,
        len(STORY),
    ]


def test_the_log_is_proven_and_held_against_the_journal(place: Cycle) -> None:
    place.aps("replay", "--check")
    proven = place.aps("events", "verify")
    assert (proven.code, proven.err) == (Exit.OK, "")
    first, second = proven.out.splitlines()
    assert first == f"{len(STORY)} events: every hash, link, version and sequence holds"
    assert second.startswith(f"signed heads reach up to sequence {len(STORY)}; checked with key ")
    assert place.aps("events", "verify", "--key", "8a" * 32).code == Exit.FAILED, "no other key counts then"
    place.sql("update aps.journal set hash = repeat('0', 64) where seq = 9")
    try:
        told = place.aps("events", "verify", "--json")
    finally:
        place.aps("views", "rebuild")
    assert (told.code, [fault["seq"] for fault in told.said["faults"]]) == (Exit.FAILED, [9])


def test_a_lost_key_of_the_signed_heads_is_told_and_no_other_is_made(place: Cycle, tmp_path: Path) -> None:
    place.aps("replay", "--check")
    public = place.aps("events", "key").out.strip()
    kept = key_file(place.home).rename(tmp_path / "kept")
    try:
        proven = place.aps("events", "verify")
        by_hand = place.aps("events", "verify", "--key", public)
        exported = place.aps("events", "export", str(tmp_path / "log.jsonl"))
        backup = place.aps("backup", str(tmp_path / "aps.jsonl.gz"))
        listed = place.aps("improvements", "list")
        shown = place.aps("events", "key")
        made = key_file(place.home).exists()
    finally:
        kept.rename(key_file(place.home))
    assert proven.code == Exit.FAILED, proven
    gone = f"the key {PublicKey(public).id}, which signed heads up to sequence {len(STORY)}, is not there"
    assert f"they cannot be checked: {gone}" in proven.out
    for refused in (exported, backup):
        assert (refused.code, gone in refused.err) == (Exit.FAILED, True), refused
        assert "aps events key --new --trust" in refused.err
    assert f"Put {key_file(place.home)} back from a backup" in proven.out
    assert (by_hand.code, listed.code, shown.code) == (Exit.OK, Exit.OK, Exit.NOT_FOUND)
    assert not made
    assert [*tmp_path.iterdir()] == []
    assert place.aps("events", "verify").code == Exit.OK


def test_an_export_holds_the_log_and_is_sound_without_servers(place: Cycle, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    written = place.aps("events", "export", str(file), "--json").said
    assert written["events"] == len(STORY)
    exported = [decoded(line) for line in file.read_bytes().splitlines()]
    last = [line for line in exported if isinstance(line, Exported)][-1]
    assert (last.seq, last.chain) == (len(STORY), written["chain"])
    key = place.aps("events", "key").out.strip()
    elsewhere = place.aps("events", "verify", str(file), "--key", key, APS_HOME=str(tmp_path / "nothing"))
    assert (elsewhere.code, list(tmp_path.iterdir())) == (Exit.OK, [file])
    kept = file.read_bytes()
    again = place.aps("events", "export", str(file), "--until", "12")
    assert (again.code, file.read_bytes() == kept) == (Exit.CONFLICT, True)
    assert "nothing is written over" in again.err
    earlier = place.aps("events", "export", "-", "--until", "12").out.encode().splitlines()
    assert [line.seq for line in map(decoded, earlier) if isinstance(line, Exported)] == [*range(1, 13)]


def test_a_document_of_an_improvement_is_exported_and_valid(place: Cycle, tmp_path: Path) -> None:
    file = tmp_path / "imp-2.aps.yaml"
    assert place.aps("process", "export", "imp-2", "-o", str(file)).code == Exit.OK
    checked = place.aps("process", "validate", str(file), "--json").said
    assert (checked["valid"], checked["problems"], checked["remarks"]) == (True, [], [])
    assert place.aps("process", "export", "imp-2").out == file.read_text("utf-8")
    assert place.aps("process", "export", "imp-2", "--json").said["process"]["id"] == "imp-2"


def test_servers_that_are_given_are_used(place: Cycle, tmp_path: Path) -> None:
    users = ("cli", "inspector")
    given = {f"APS_NATS_{user.upper()}_PASSWORD": place.servers.nats_password(user) for user in users}
    given |= {"NATS_URL": place.servers.nats_url, "DATABASE_URL": place.servers.database_url}
    checked = place.aps("replay", "--check", **given, APS_HOME=str(tmp_path / "own"))
    assert (checked.code, checked.err) == (Exit.OK, "")
    assert not (tmp_path / "own" / "servers").exists()
