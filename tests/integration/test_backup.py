"""A system is backed up, removed and restored, by the commands a person gives, and is the same again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import orjson
import pytest

from events.evidence.export import Exported, decoded
from events.jetstream.artefacts import JetStreamArtefacts
from events.jetstream.moments import moment
from events.jetstream.restoring import Kept, Restoring
from events.subjects import STREAM, dead_letter
from services.cli.history.proving_file import lines_of
from services.cli.session import Exit
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, now, set_up
from services.runtime.head_keys import signing_key
from services.runtime.settings import load
from services.steering.letters import Closing, close
from tests import projection_facts as f
from tests.cli_place import Place
from tests.conftest import run
from tests.projection_facts import CYCLE, tell

T = TypeVar("T")

STORY = (*CYCLE, ("improvement", "imp-2", f.discovered(2, "Another one")))
BIG = b"a large report\n" * 50_000


@dataclass(frozen=True)
class System(Place):
    """A data folder of its own; each command brings its servers along."""

    def told(self) -> str:
        """Fill the log, the artefacts and the dead letters; return the large artefact's digest."""

        async def fill(ground: Ground) -> str:
            signing_key(ground.settings)
            async with ground.log("admin") as (connection, book):
                await tell(book.store, STORY)
                for seq in (5, 7):
                    letter = {"role": "qa", "seq": seq, "subject": "aps.v1.x", "reason": "why not"}
                    await connection.jetstream().publish(dead_letter("qa", seq), orjson.dumps(letter))
                closing = Closing(letter=2, how="discarded", reason="done", by="me", at=now())
                await close(connection, closing)
                return await JetStreamArtefacts(connection).put(BIG)

        return self.on_ground(fill)

    def on_ground(self, work: Callable[[Ground], Coroutine[Any, Any, T]]) -> T:
        """Do something on the servers of this folder."""

        async def there() -> T:
            async with EmbeddedServers(self.home) as servers:
                settings = load({"APS_HOME": str(self.home)})
                ground = Ground(settings, servers.nats_url, servers.database_url, servers)
                await set_up(ground)
                return await work(ground)

        return run(there())

    def sql(self, statement: str) -> None:
        """Change the database behind everybody's back."""

        async def execute(ground: Ground) -> None:
            connection = await asyncpg.connect(ground.database_url)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        self.on_ground(execute)

    def without_its_end(self, kept: int) -> None:
        """Let the stream hold the first events alone, as a server that lost its disk's end would."""

        async def cut(ground: Ground) -> None:
            connection = await ground.connect("admin")
            try:
                messages = [await connection.jetstream().get_msg(STREAM, n) for n in range(1, kept + 1)]
                await connection.request(f"$JS.API.STREAM.DELETE.{STREAM}", timeout=10)
                await set_up(ground, anew=True)
                for message in messages:
                    assert message.subject
                    await connection.jetstream().publish(message.subject, message.data or b"")
            finally:
                await connection.close()

        self.on_ground(cut)

    def shown(self) -> tuple[Any, ...]:
        """What a person sees of the system."""
        words = (
            ("improvements", "list"),
            ("dead", "list", "--all"),
            ("replay", "--check"),
            ("events", "verify"),
        )
        ended = [self.aps(*each, "--json") for each in words]
        assert [one.code for one in ended] == [Exit.OK] * len(words), ended
        proof = {name: ended[3].said[name] for name in ("events", "sound", "signed", "faults")}
        return ended[0].said, ended[1].said, ended[2].said["equal"], proof


@pytest.fixture
def place(home: Path) -> Iterator[System]:
    yield System(home)
    run(EmbeddedServers(home).erase())


def test_a_system_is_the_same_after_backup_reset_and_restore(place: System, tmp_path: Path) -> None:
    digest = place.told()
    before = place.shown()
    archive = str(tmp_path / "aps.jsonl.gz")
    written = place.aps("backup", "--with-keys", archive, "--json", APS_AUTONOMY="low")
    dead_letters, root_of_the_keys = 3, 1
    assert (written.code, written.said["events"]) == (Exit.OK, len(STORY))
    assert written.said["messages"] == dead_letters + root_of_the_keys
    assert Path(archive).stat().st_mode & 0o077 == 0
    assert place.aps("backup", archive).code == Exit.CONFLICT
    refused = place.aps("restore", archive)
    assert (refused.code, f"it has {len(STORY)} events" in refused.err) == (Exit.CONFLICT, True)
    assert place.aps("reset", "--yes").code == Exit.OK
    restored = place.aps("restore", archive, "--json")
    assert (restored.code, restored.said["put"], restored.said["sound"]) == (Exit.OK, len(STORY), True)
    assert restored.said["key_made"] == "", "the key came with the archive"
    assert "aps keys rotate" not in restored.err, "the secret is the one that was backed up"
    assert place.shown() == before
    assert (place.home / ".env").read_text() == "APS_AUTONOMY=low\n"

    async def content(ground: Ground) -> bytes:
        async with ground.log("cli") as (_, book):
            return await book.artefacts.get(digest)

    assert place.on_ground(content) == BIG


def test_without_keys_the_former_heads_count_and_new_ones_follow(place: System, tmp_path: Path) -> None:
    place.told()
    archive = str(tmp_path / "aps.jsonl.gz")
    assert place.aps("backup", archive).code == Exit.OK
    former = place.aps("events", "key", "--json").said
    assert place.aps("reset", "--yes").code == Exit.OK
    assert place.aps("restore", archive, "--key", "0" * 64).code == Exit.FAILED, (
        "another key than the trusted"
    )
    restored = place.aps("restore", archive, "--key", former["key"], "--json")
    assert (restored.code, "a new one was made" in restored.err) == (Exit.OK, True), restored
    key = place.aps("events", "key", "--json").said
    assert key["id"] != former["id"]
    assert restored.said["key_made"] == key["key"]
    assert [one["id"] for one in key["trusted"]] == [former["id"]]

    async def more(ground: Ground) -> None:
        async with ground.log("admin") as (_, book):
            await tell(book.store, [("improvement", "imp-3", f.discovered(3))])

    place.on_ground(more)
    assert place.aps("improvements", "list").code == Exit.OK
    proof = place.aps("events", "verify", "--json").said
    assert (proof["signed"], proof["faults"]) == (len(STORY) + 1, [])
    again = str(tmp_path / "again.jsonl.gz")
    assert place.aps("backup", again).code == Exit.OK
    assert place.aps("events", "verify", again, "--key", key["key"]).code == Exit.OK
    assert place.aps("events", "verify", again, "--key", former["key"]).code == Exit.FAILED


def test_an_archive_that_was_altered_restores_nothing(place: System, tmp_path: Path) -> None:
    place.told()
    archive = tmp_path / "aps.jsonl"
    place.aps("events", "export", str(archive))
    archive.write_bytes(archive.read_bytes().replace(b'"actor":"pm"', b'"actor":"xx"', 1))
    assert place.aps("reset", "--yes").code == Exit.OK
    refused = place.aps("restore", str(archive))
    assert (refused.code, "nothing of it was restored" in refused.err) == (Exit.FAILED, True)
    assert place.aps("events", "verify", "--json").said["events"] == 0


def test_an_interrupted_restore_goes_on_and_times_are_kept(place: System, tmp_path: Path) -> None:
    place.told()
    whole = str(tmp_path / "whole.jsonl.gz")
    assert place.aps("backup", "--with-keys", whole).code == Exit.OK
    with lines_of(whole, "") as lines:
        log = [line for line in map(decoded, lines) if isinstance(line, Exported)]
    assert place.aps("reset", "--yes").code == Exit.OK

    async def begin(ground: Ground) -> int:
        async with ground.log("admin") as (connection, _):
            return await Restoring(connection).restore(beginning())

    async def beginning() -> AsyncIterator[Kept]:
        for line in log[:12]:
            yield Kept(line.seq, line.subject, line.body, line.stored)

    assert place.on_ground(begin) == 12
    ended = place.aps("restore", whole, "--json")
    assert (ended.code, ended.said["put"], ended.said["faults"]) == (Exit.OK, len(STORY) - 12, [])

    async def seqs(ground: Ground) -> list[int]:
        async with ground.log("cli") as (_, book):
            moments = [moment(line.stored) for line in log]
            before = await book.store.seq_at(moments[0] - timedelta(seconds=1))
            return [
                before,
                *[await book.store.seq_at(one) for one in moments],
                await book.store.seq_at(now()),
            ]

    times = [line.stored[:26] for line in log]
    expected = [max(n for n, other in enumerate(times, 1) if other <= time) for time in times]
    assert place.on_ground(seqs) == [0, *expected, len(log)]


def test_a_tail_that_was_cut_comes_back_from_the_journal(place: System) -> None:
    place.told()
    before = place.shown()
    place.without_its_end(20)
    told = place.aps("events", "verify", "--json")
    assert told.code == Exit.FAILED
    assert 20 in {fault["seq"] for fault in told.said["faults"]}
    back = place.aps("restore", "--journal", "--json")
    assert (back.code, back.said["put"], back.said["faults"]) == (Exit.OK, len(STORY) - 20, [])
    assert place.shown() == before


def test_a_damaged_stream_is_written_anew_from_the_journal_and_an_altered_journal_never_is(
    place: System,
) -> None:
    place.told()
    before = place.shown()
    assert place.aps("restore", "--journal", "--anew").code == Exit.USAGE
    anew = place.aps("restore", "--journal", "--anew", "--yes", "--json")
    assert (anew.code, anew.said["put"], anew.said["faults"]) == (Exit.OK, len(STORY), [])
    assert place.shown() == before
    place.sql("update aps.journal set envelope = replace(envelope::text, 'pm', 'xx')::json where seq = 9")
    refused = place.aps("restore", "--journal", "--anew", "--yes")
    assert (refused.code, "sequence 9" in refused.err, "nothing was restored" in refused.err) == (
        Exit.FAILED,
        True,
        True,
    )
    assert place.aps("events", "verify", "--json").said["events"] == len(STORY)
