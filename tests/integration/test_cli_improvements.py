"""The commands about improvements, claims, runs, dead letters and targets, on servers given by settings."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from nats.aio.client import Client

from events.envelope import Cause
from events.fact import Rejected
from events.improvement import IMPROVEMENT
from events.improvement_facts import ChangeRolledBack, RequirementsSpecified, Retried, RollbackRequested
from events.jetstream.artefacts import JetStreamArtefacts
from events.jetstream.log import JetStreamEventStore
from events.lease import WorkClaimed
from events.store import Recorded
from events.subjects import DEAD_LETTERS, Address, dead_letter, subject
from events.target import TARGET
from schemas.artefacts import ArtefactRef
from services.cli.decisions import board
from services.cli.decisions import deciding as decisions
from services.cli.documents import exchange
from services.cli.exits import expected
from services.cli.invocation import invocation
from services.cli.session import Exit, Stop
from services.cli.work import claiming, engine_runs, pausing, redelivery
from services.runtime.consumer import Consumer
from services.runtime.ending import end
from services.runtime.log import Log
from services.runtime.settings import Settings, load
from tests import cycle_example as example
from tests.cycle_example import BAD, GOOD, HELD, PART, TREE, Recorder, T
from tests.log_server import PASSWORDS, LogServer

PATIENCE = 30
PERSON = Cause(actor="cli@test", source="aps/cli", correlation="00000000-0000-0000-0000-00000000000d")

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quiet")]


@dataclass
class Place:
    """A log with one recorded cycle, as its administrator sees it, and the settings that lead there."""

    recorder: Recorder
    connection: Client
    settings: Settings
    capture: pytest.CaptureFixture[str]

    @property
    def book(self) -> Log:
        return self.recorder.book

    async def said(self, command: Coroutine[Any, Any, None]) -> Any:
        """The JSON a command says."""
        self.capture.readouterr()
        await command
        return orjson.loads(self.capture.readouterr().out)

    async def shown(self, command: Coroutine[Any, Any, None]) -> str:
        """The text a command says on stdout."""
        self.capture.readouterr()
        await command
        return self.capture.readouterr().out

    async def head(self) -> int:
        return await self.book.store.head()

    async def board(self, target: str = "", status: str = "", at: str = "") -> dict[str, str]:
        """Status by id."""
        rows = await self.said(board.list_improvements(self.settings, target, status, at, as_json=True))
        return {row["id"]: row["status"] for row in rows}

    async def show(self, id: str, at: str = "", *, diff: bool = False) -> Any:
        return await self.said(board.show(self.settings, id, at, diff=diff, as_json=True))

    async def claims(self, *, every: bool = False) -> list[tuple[str, str, str]]:
        rows = await self.said(claiming.list_claims(self.settings, "", "", every=every, as_json=True))
        return [(row["aggregate"], row["id"], row["work"]) for row in rows]

    async def claim(self, kind: Any, id: str, work: str) -> int:
        until = datetime.now(UTC) + timedelta(minutes=5)
        fact = WorkClaimed(agent="developer@gone", work=work, lease_until=until)
        return (await self.book.record(kind, id, fact, cause=PERSON)).version

    async def letters(self, *, every: bool = False) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self.said(
            redelivery.list_letters(self.settings, every=every, as_json=True)
        )
        return rows


@pytest.fixture
async def place(
    server: LogServer, database: str, open_home: Path, capfd: pytest.CaptureFixture[str]
) -> AsyncIterator[Place]:
    environment = {"NATS_URL": server.url, "DATABASE_URL": database, "APS_HOME": str(open_home / "cli")}
    settings = load({**environment, **PASSWORDS})
    async with server.connection("admin") as connection:
        recorder = Recorder()
        recorder.book = Log(
            JetStreamEventStore(connection, recorder.clock), JetStreamArtefacts(connection), recorder.clock
        )
        await example.whole(recorder)
        recorder.now = datetime.now(UTC)
        yield Place(recorder, connection, settings, capfd)


async def stopped(command: Coroutine[Any, Any, object]) -> Stop:
    """How a command ends that cannot do what it was asked."""
    with pytest.raises((Stop, Rejected)) as problem:
        await command
    stop = expected(problem.value)
    assert stop is not None
    return stop


async def test_the_board_lists_every_improvement_or_those_asked_for(place: Place) -> None:
    assert await place.board() == {
        GOOD: "deployment_complete",
        PART: "partly_landed",
        BAD: "abandoned",
        HELD: "testing_complete",
    }
    assert await place.board(target="shop", status="abandoned") == {BAD: "abandoned"}
    assert (await stopped(place.board(target="shap"))).code is Exit.NOT_FOUND
    assert (await stopped(place.board(status="landed"))).code is Exit.USAGE


async def test_the_board_can_be_seen_as_it_stood(place: Place) -> None:
    timeline = (await place.show(HELD))["timeline"]
    proven = next(row["seq"] for row in timeline if row["fact"] == "change_validated")
    assert (await place.board(at=str(proven - 1)))[HELD] == "implementation_complete"
    stop = await stopped(board.list_improvements(place.settings, "", "", "2020-01-01T00:00", as_json=True))
    assert (stop.code, str(stop)) == (Exit.NOT_FOUND, "there was no event yet at 2020-01-01T00:00")


async def test_an_improvement_is_shown_with_its_evidence_and_what_can_be_done(place: Place) -> None:
    text = await place.shown(board.show(place.settings, PART, "", diff=True, as_json=False))
    for line in (
        "status       partly_landed",
        "✓ suite_no_worse          12 tests passed, 10 before",
        "shop/odd.py: the suite fails with it",
        "# Title (C408) does harm",
        "E       TypeError: <b>boom</b>",
        f"take it back  {invocation()} improvements rollback {PART}",
    ):
        assert line in text
    assert "git -C '/srv/shop it' show 111111111111" in text


async def test_an_improvement_is_shown_as_it_stood(place: Place) -> None:
    first = (await place.show(BAD))["timeline"][0]["seq"]
    then = await place.show(BAD, at=str(first))
    assert (then["status"], then["refusals"], len(then["timeline"])) == ("initialized", [], 1)
    assert then["commands"] == []
    now = await place.show(BAD)
    assert now["refusals"][0]["bug_report"] == example.BUG
    early = await stopped(place.show(BAD, at=str(first - 1)))
    assert (early.code, "not discovered yet" in str(early)) == (Exit.NOT_FOUND, True)


async def test_an_unknown_improvement_is_answered_with_the_nearest(place: Place) -> None:
    stop = await stopped(place.show("sim210-1"))
    assert stop.code is Exit.NOT_FOUND
    assert f"nearest: {GOOD}" in str(stop)


async def test_what_the_rules_refuse_changes_nothing_and_says_what_is_possible(place: Place) -> None:
    before = await place.head()
    stop = await stopped(decisions.decline(place.settings, [HELD, GOOD], "no", PATIENCE, as_json=True))
    assert stop.code is Exit.CONFLICT
    assert str(stop).startswith(f"{GOOD} cannot be declined while it is deployment complete")
    assert f"possible is: {invocation()} improvements rollback {GOOD}" in str(stop)
    stop = await stopped(decisions.retry(place.settings, [GOOD], "", PATIENCE, as_json=True))
    assert stop.code is Exit.CONFLICT
    stop = await stopped(decisions.approve(place.settings, [BAD], "", PATIENCE, as_json=True))
    assert f"possible is: {invocation()} improvements retry {BAD}" in str(stop)
    assert await place.head() == before


async def test_a_new_rank_is_recorded_for_the_person_and_its_reason(place: Place) -> None:
    (told,) = await place.said(decisions.prioritise(place.settings, HELD, 1, "soon", as_json=True))
    assert (told["rank"], told["achieved"]) == (1, True)
    last = (await place.show(HELD))["timeline"][-1]
    assert (last["summary"], last["actor"].partition("@")[0]) == ("now rank 1: soon", "cli")


async def test_a_claim_is_taken_from_its_holder_who_can_then_not_finish(place: Place) -> None:
    done = ChangeRolledBack(deployment="d", commit="c" * 40, tree=TREE, method="reverted")
    await place.book.record(IMPROVEMENT, GOOD, RollbackRequested(reason="x"), done, cause=PERSON)
    await place.book.record(IMPROVEMENT, GOOD, Retried(reason="x"), cause=PERSON)
    token = await place.claim(IMPROVEMENT, GOOD, "requirements")
    assert await place.claims() == [("improvement", GOOD, "requirements")]
    await claiming.release(place.settings, "improvement", GOOD, "its machine is gone", as_json=False)
    assert await place.claims() == []
    finishing = RequirementsSpecified(claim=token, requirements=(), feature=await place.recorder.keep("x"))
    with pytest.raises(Rejected, match="held by nobody"):
        await place.book.record(IMPROVEMENT, GOOD, finishing, cause=PERSON)
    assert ("improvement", GOOD, "requirements") in await place.claims(every=True)


@pytest.mark.parametrize(
    ("aggregate", "id", "code"),
    [
        ("improvement", GOOD, Exit.CONFLICT),
        ("improvement", "nothing", Exit.NOT_FOUND),
        ("improvement", "no token!", Exit.NOT_FOUND),
        ("deployment", "d1", Exit.USAGE),
    ],
)
async def test_only_a_held_claim_is_released(place: Place, aggregate: str, id: str, code: Exit) -> None:
    assert (await stopped(claiming.release(place.settings, aggregate, id, "", as_json=True))).code is code


async def test_a_claim_on_a_target_is_released_too(place: Place) -> None:
    await place.claim(TARGET, T, "scan")
    told = await place.said(claiming.release(place.settings, "target", T, "", as_json=True))
    assert told["released"]["agent"] == "developer@gone"
    assert (await place.book.state(TARGET, T)).claim is None


async def test_engine_calls_are_listed_and_shown(place: Place) -> None:
    rows = await place.said(engine_runs.list_runs(place.settings, GOOD, "", "", as_json=True))
    assert [(row["role"], row["engine"], row["outcome"]) for row in rows] == [
        ("developer", "deterministic", "completed")
    ]
    shown = await place.said(engine_runs.show(place.settings, rows[0]["id"], as_json=True))
    assert [event["fact"] for event in shown["events"]] == ["requested", "started", "completed"]
    assert await place.said(engine_runs.list_runs(place.settings, "", "failed", "", as_json=True)) == []
    assert (await stopped(engine_runs.show(place.settings, "r", as_json=True))).code is Exit.NOT_FOUND
    unknown = await stopped(engine_runs.list_runs(place.settings, "", "lost", "", as_json=True))
    assert unknown.code is Exit.USAGE


async def test_a_paused_target_takes_no_new_cycle_until_it_is_resumed(place: Place) -> None:
    told = await place.said(pausing.pause(place.settings, "shop", "release week", as_json=True))
    assert [(one["id"], one["paused"]) for one in told] == [(T, True)]
    again = await stopped(pausing.pause(place.settings, "shop", "", as_json=True))
    assert (again.code, "paused already" in str(again)) == (Exit.CONFLICT, True)
    assert (await place.said(pausing.resume(place.settings, "", as_json=True)))["still_paused"] == [T]
    told = await place.said(pausing.resume(place.settings, "shop", as_json=True))
    assert [(one["id"], one["paused"]) for one in told] == [(T, False)]
    assert not (await place.book.state(TARGET, T)).paused


class Content:
    """A PM that finds nothing to do."""

    role = "pm"

    async def react(self, event: Recorded) -> None:
        assert event.envelope.address.aggregate in ("target", "improvement")


async def given_up(place: Place, server: LogServer) -> int:
    """Let PM meet what it cannot read, and wait until it gave that up; return the number of its letter."""
    unreadable = subject(Address("target", "t9", "scan_requested"))
    await place.connection.jetstream().publish(unreadable, b"no envelope")
    dropped = await place.connection.subscribe(f"{DEAD_LETTERS}.>")
    async with server.connection("pm") as connection:
        consuming = asyncio.create_task(Consumer(connection, Content(), 1).run())
        await dropped.next_msg(timeout=PATIENCE)
        await end(consuming)
    (letter,) = await place.letters()
    assert (letter["role"], letter["seq"], letter["subject"]) == ("pm", await place.head(), unreadable)
    assert "no event envelope" in letter["reason"]
    return int(letter["number"])


async def test_a_missing_artefact_is_named_and_the_rest_is_shown(place: Place) -> None:
    lost = ArtefactRef(sha256="f" * 64, size=1, media_type="text/x-gherkin", name="lost.feature")
    found = (await place.book.state(IMPROVEMENT, GOOD)).discovered
    assert found is not None
    await place.recorder.record(IMPROVEMENT, "lost-1", found)
    claim = await place.recorder.claim(IMPROVEMENT, "lost-1", "requirements")
    specified = RequirementsSpecified(claim=claim, requirements=(), feature=lost)
    await place.recorder.record(IMPROVEMENT, "lost-1", specified)
    told = await place.show("lost-1")
    assert told["missing"] == [f"lost.feature (sha256 {'f' * 64}) is not in the store"]
    assert (told["title"], told["feature"], len(told["timeline"])) == (found.title, "", 3)
    await board.show(place.settings, "lost-1", "", diff=False, as_json=False)
    assert "missing: lost.feature" in place.capture.readouterr().err
    whole = await stopped(exchange.export(place.settings, "lost-1", "-", as_json=False))
    assert (whole.code, "lost.feature" in str(whole)) == (Exit.FAILED, True)


async def test_a_letter_is_open_until_it_is_discarded_for_a_reason(place: Place, server: LogServer) -> None:
    number = await given_up(place, server)
    unread = await stopped(redelivery.replay(place.settings, [number], PATIENCE, as_json=True))
    assert (unread.code, "1 of 1 still not done" in str(unread)) == (Exit.FAILED, True)
    needs = await stopped(redelivery.discard(place.settings, [number], " ", as_json=True))
    assert needs.code is Exit.USAGE
    await redelivery.discard(place.settings, [number], "written by a stranger", as_json=False)
    assert await place.letters() == []
    (closed,) = await place.letters(every=True)
    assert (closed["closed"]["how"], closed["closed"]["reason"]) == ("discarded", "written by a stranger")
    again = await stopped(redelivery.discard(place.settings, [number], "x", as_json=True))
    assert (again.code, "discarded already" in str(again)) == (Exit.CONFLICT, True)
    after_all = await stopped(redelivery.replay(place.settings, [number], PATIENCE, as_json=True))
    assert (after_all.code, "still not done" in str(after_all)) == (Exit.FAILED, True)
    unknown = await stopped(redelivery.discard(place.settings, [99], "x", as_json=True))
    assert unknown.code is Exit.NOT_FOUND


async def test_an_event_is_given_to_its_role_once_more(place: Place, server: LogServer) -> None:
    asked = [e.seq async for e in place.book.store.read_all() if e.envelope.address.fact == "scan_requested"]
    letter = {"role": "pm", "seq": asked[0], "subject": "s", "reason": "the disk was full"}
    async with server.connection("pm") as connection:
        await connection.jetstream().publish(dead_letter("pm", asked[0]), orjson.dumps(letter))
    (told,) = await place.said(redelivery.replay(place.settings, [], PATIENCE, as_json=True))
    assert (told["role"], told["seq"], told["failure"]) == ("pm", asked[0], "")
    assert await place.letters() == []
    assert (await place.letters(every=True))[0]["closed"]["how"] == "replayed"


async def test_only_who_has_the_password_of_a_role_does_its_work(place: Place, server: LogServer) -> None:
    letter = {"role": "qa", "seq": 1, "subject": "s", "reason": "r"}
    async with server.connection("qa") as connection:
        await connection.jetstream().publish(dead_letter("qa", 1), orjson.dumps(letter))
    passwords = {name: p for name, p in place.settings.nats_passwords.items() if name != "qa"}
    poorer = place.settings.model_copy(update={"nats_passwords": passwords})
    stop = await stopped(redelivery.replay(poorer, [1], PATIENCE, as_json=True))
    assert (stop.code, "APS_NATS_QA_PASSWORD" in str(stop)) == (Exit.DENIED, True)
