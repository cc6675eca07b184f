"""The commands about a log that holds what is no event: each shows it as what it is, and none stops at it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import orjson
import pytest

from events.jetstream.stream_reader import StreamReader
from events.subjects import STREAM
from projections.projector import Projector
from services.cli.session import Exit
from services.projector.letters import Letters
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, set_up
from services.runtime.head_keys import signing_key
from services.runtime.settings import load
from tests import projection_facts as f
from tests.cli_process import ended
from tests.conftest import run
from tests.projection_facts import CYCLE, tell

T = TypeVar("T")

HURT, BINARY = "aps.v1.improvement.imp-1.discovered", "aps.v1.improvement.binary.discovered"
OF_PM = ((HURT, b'{"half'), (BINARY, b"\x1b[2J\xff\0 gone\n"), ("aps.v1.improvement.none.discovered", b""))
OF_ADMIN = (("aps.v1.strange\x1b[31m", b"nothing"),)
AFTER = (("improvement", "imp-2", f.discovered(2)),)
FIRST, END = len(CYCLE) + 1, len(CYCLE) + len(OF_PM) + len(OF_ADMIN) + len(AFTER)
SEQS = list(range(FIRST, END))


def on_ground(home: Path, work: Callable[[Ground], Coroutine[Any, Any, T]]) -> T:
    """Do something on the servers of a data folder."""

    async def there() -> T:
        async with EmbeddedServers(home) as servers:
            ground = Ground(load({"APS_HOME": str(home)}), servers.nats_url, servers.database_url, servers)
            await set_up(ground)
            return await work(ground)

    return run(there())


async def fill(ground: Ground) -> None:
    """Tell a cycle, then what is no event, by one who may only discover and by one who may all, then more."""
    signing_key(ground.settings)
    async with ground.log("admin") as (admin, book), ground.log("pm") as (pm, _):
        await tell(book.store, CYCLE)
        for connection, messages in ((pm, OF_PM), (admin, OF_ADMIN)):
            for subject, body in messages:
                await connection.request(subject, body, timeout=5)
        await tell(book.store, AFTER)
    async with (
        ground.log("projector") as (connection, book),
        asyncpg.create_pool(ground.database_url) as pool,
    ):
        await Projector(book.store, pool, tell=Letters(connection).tell).catch_up()


async def messages(ground: Ground) -> list[tuple[int, str, bytes]]:
    """Every message of the log, as the server has it."""
    async with ground.log("cli") as (connection, _):
        page = await StreamReader(connection, STREAM).page(0, 1000)
        return [(one.seq, one.subject, one.body) for one in page]


@pytest.fixture
def place(home: Path) -> Iterator[Path]:
    on_ground(home, fill)
    yield home
    run(EmbeddedServers(home).erase())


def said(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == Exit.OK, done
    return orjson.loads(done.stdout)


@pytest.fixture
def standing(place: Path) -> Iterator[Path]:
    """The place with its servers running, which commands then use."""
    servers = EmbeddedServers(place)
    run(servers.join())
    yield place
    run(servers.leave())


def test_it_is_listed_shown_followed_proven_and_stops_nothing(standing: Path, tmp_path: Path) -> None:
    place = standing
    listed = ended(place, "events", "list", "--limit", "100")
    assert listed.stdout.count("the message is no event: no event envelope") == len(SEQS)
    shown = [ended(place, "events", "show", str(seq)) for seq in (SEQS[1], SEQS[-1])]
    letters = ended(place, "dead", "list")
    followed = ended(place, "events", "tail", "--lines", "6", "--limit", "6")
    verified = ended(place, "events", "verify")
    for one in (listed, *shown, followed, verified, letters):
        assert one.returncode == Exit.OK, one
        assert all(line.isprintable() for line in one.stdout.splitlines()), one.stdout
    assert BINARY in shown[0].stdout
    assert r"\x1b[2J\xff\x00 gone" in shown[0].stdout
    assert r"aps.v1.strange\x1b[31m" in shown[1].stdout
    as_json = said(ended(place, "events", "show", f"unreadable-{FIRST}", "--json"))
    assert (as_json["seq"], as_json["event"]["data"]["subject"]) == (FIRST, HURT)
    of_one = said(ended(place, "events", "list", "--aggregate", "improvement", "--id", "binary", "--json"))
    assert [event["seq"] for event in of_one] == [FIRST + 1]
    tally = f"{END - len(SEQS)} events, and messages that are none: {len(SEQS)}: every hash"
    assert tally in verified.stdout
    assert f"sequence {FIRST} ({HURT}): the message is no event: no event envelope" in verified.stdout
    proof = said(ended(place, "events", "verify", "--json"))
    assert (proof["sound"], [one["seq"] for one in proof["unreadable"]]) == (True, SEQS)
    file = str(tmp_path / "log.jsonl")
    assert said(ended(place, "events", "export", file, "--json"))["events"] == END
    offline = said(ended(tmp_path / "nothing", "events", "verify", file, "--json"))
    assert (offline["sound"], [one["seq"] for one in offline["unreadable"]]) == (True, SEQS)
    for words in (("views", "rebuild"), ("replay", "--check"), ("replay",)):
        assert ended(place, *words).returncode == Exit.OK, words
    assert [letter["seq"] for letter in said(ended(place, "dead", "list", "--json"))] == SEQS
    assert {row["id"] for row in said(ended(place, "improvements", "list", "--json"))} == {"imp-1", "imp-2"}


def test_backup_and_journal_bring_it_back_byte_for_byte(place: Path, tmp_path: Path) -> None:
    before = on_ground(place, messages)
    assert [message[1:] for message in before[len(CYCLE) : -1]] == [*OF_PM, *OF_ADMIN]
    archive = str(tmp_path / "aps.jsonl.gz")
    assert said(ended(place, "backup", "--with-keys", archive, "--json"))["events"] == END
    assert ended(place, "reset", "--yes").returncode == Exit.OK
    assert said(ended(place, "restore", archive, "--json"))["put"] == END
    assert on_ground(place, messages) == before
    proof = said(ended(place, "events", "verify", "--json"))
    assert (proof["signed"], [one["seq"] for one in proof["unreadable"]]) == (END, SEQS)
    assert said(ended(place, "restore", "--journal", "--anew", "--yes", "--json"))["put"] == END
    assert on_ground(place, messages) == before
    assert said(ended(place, "replay", "--check", "--json"))["equal"] is True
