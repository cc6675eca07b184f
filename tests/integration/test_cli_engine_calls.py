"""The commands about engine calls, what they cost, and the switch for all new work, on a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from events.engine import ENGINE
from events.run import RUN, Cancelled
from schemas.engine import FailureKind
from services.asking.calling import Watch
from services.asking.words import NotAnswered
from services.cli.care import condition
from services.cli.care.diagnosis import examined
from services.cli.session import Exit, Stop
from services.cli.work import cancelling, engine_runs, pausing, spending
from services.engines.port import Failed
from services.engines.scripted import Hanging, ScriptedEngine
from services.runtime.claims import Halted
from services.runtime.ending import end
from services.runtime.log import Log
from services.runtime.settings import Settings, load
from services.vault.jetstream import JetStreamKeyStore
from tests.asking_example import AT_ONCE, BECAUSE, COST, answering, ask, asker, failing
from tests.asking_process import ROOT, book_on, now
from tests.log_server import PASSWORDS, LogServer

pytestmark = pytest.mark.usefixtures("quiet")


@dataclass
class Place:
    """An empty log as PM has it, and the settings that lead there."""

    book: Log
    settings: Settings
    capture: pytest.CaptureFixture[str]

    async def said(self, command: Coroutine[Any, Any, None]) -> Any:
        """The JSON that a command says."""
        return orjson.loads(await self.shown(command))

    async def shown(self, command: Coroutine[Any, Any, None]) -> str:
        """What a command says on stdout."""
        self.capture.readouterr()
        await command
        return self.capture.readouterr().out


@pytest.fixture
async def place(
    server: LogServer, database: str, open_home: Path, capfd: pytest.CaptureFixture[str]
) -> AsyncIterator[Place]:
    environment = {"NATS_URL": server.url, "DATABASE_URL": database, "APS_HOME": str(open_home / "calls")}
    settings = load({**environment, **PASSWORDS, "SECRET_KEY_BASE": "s" * 40})
    async with server.connection("admin") as admin:
        await JetStreamKeyStore(admin).add_first_root(ROOT.id)
    async with book_on(server) as book:
        yield Place(book, settings, capfd)


async def stopped(command: Coroutine[Any, Any, None]) -> Stop:
    with pytest.raises(Stop) as ended:
        await command
    return ended.value


async def begun(book: Log) -> str:
    """The run that starts next."""
    async for event in book.store.live():
        if event.envelope.address.fact == "started":
            return event.envelope.address.id
    raise AssertionError("the log goes on for ever")


async def test_a_person_cancels_a_call_that_another_process_makes(place: Place) -> None:
    asked = asyncio.create_task(asker(place.book).ask(ask(ScriptedEngine(Hanging()))))
    run = await begun(place.book)
    told = await place.said(cancelling.cancel(place.settings, run, "the wrong thing", as_json=True))
    assert (told["id"], told["engine"]) == (run, "scripted")
    assert (told["ended"], told["held_until"]) == (True, None)
    with pytest.raises(NotAnswered, match="the wrong thing") as ended:
        await asyncio.wait_for(asked, 10)
    assert ended.value.kind is FailureKind.CANCELLED
    again = await stopped(cancelling.cancel(place.settings, run, "", as_json=True))
    assert (again.code, str(again)) == (Exit.CONFLICT, f"the run {run} is over: cancelled")
    (budget,) = await day(place)
    assert (budget["reserved_micros"], budget["committed_micros"], budget["running"]) == (0, 0, 0)


@asynccontextmanager
async def killed(server: LogServer, clock: Callable[[], datetime] = now) -> AsyncIterator[str]:
    """A call whose process is not heard of again, by its run; `clock` is that process's."""
    deaf = replace(AT_ONCE, watch=Watch(look=600.0, overtime=0.0, ending=1.0))
    async with book_on(server, clock) as book:
        call = asyncio.create_task(asker(book, manner=deaf).ask(ask(ScriptedEngine(Hanging()))))
        run = await begun(book)
        yield run
        await end(call)


async def test_whoever_cancels_a_killed_call_is_told_until_when_it_holds_its_budget(
    place: Place, server: LogServer
) -> None:
    async with killed(server) as run:
        lease = (await place.book.state(ENGINE, "scripted")).calls[run].lease_until
        await cancelling.cancel(place.settings, run, "", as_json=False, patience=0.1)
        told = " ".join(place.capture.readouterr().err.split())
        assert "has not ended yet. If its process is gone" in told
        assert f"held until {lease:%Y-%m-%d %H:%M:%S} UTC" in told
        again = await stopped(cancelling.cancel(place.settings, run, "", as_json=False))
        assert (again.code, f"{lease:%H:%M:%S}" in str(again)) == (Exit.CONFLICT, True)


@pytest.mark.parametrize("already", [False, True], ids=["under way", "cancelled already"])
async def test_cancelling_gives_back_what_a_killed_call_holds_once_its_lease_is_over(
    place: Place, server: LogServer, already: bool
) -> None:
    async with killed(server, lambda: now() - timedelta(hours=1)) as run:
        if already:
            await place.book.record(RUN, run, Cancelled(reason="it hangs"), cause=BECAUSE)
        told = await place.said(cancelling.cancel(place.settings, run, "", as_json=True))
        assert (told["ended"], told["held_until"]) == (True, None)
        assert isinstance((await place.book.state(RUN, run)).ended, Cancelled)
        assert (await place.book.state(ENGINE, "scripted")).calls == {}
        budgets = await place.said(spending.list_budgets(place.settings, "", as_json=True))
        assert {row["reserved_micros"] for row in budgets} == {0}
        again = await stopped(cancelling.cancel(place.settings, run, "", as_json=True))
        assert (again.code, str(again)) == (Exit.CONFLICT, f"the run {run} is over: cancelled")


async def day(place: Place) -> list[Any]:
    rows = await place.said(spending.list_budgets(place.settings, "", as_json=True))
    return [row for row in rows if row["id"].startswith("day-")]


@pytest.mark.parametrize("id", ["plan-1", "no id!"])
async def test_only_a_run_that_there_is_can_be_cancelled(place: Place, id: str) -> None:
    assert (await stopped(cancelling.cancel(place.settings, id, "", as_json=True))).code is Exit.NOT_FOUND


async def test_a_call_is_shown_with_what_was_asked_and_answered(place: Place) -> None:
    engine = ScriptedEngine(failing(FailureKind.OVERLOADED, "busy", spent=COST), answering("do it"))
    asked = await asker(place.book).ask(ask(engine))
    shown = await place.said(engine_runs.show(place.settings, asked.run, transcript=True, as_json=True))
    assert (shown["attempt"], shown["outcome"], shown["cost_micros"], shown["billing"]) == (
        2,
        "completed",
        COST.cost_micros,
        "price",
    )
    assert orjson.loads(shown["prompt"])["prompt"] == "plan it"
    assert orjson.loads(shown["answer"]) == orjson.loads(shown["transcript"]) == {"text": "do it"}
    text = await place.shown(engine_runs.list_runs(place.settings, "", "", "", as_json=False))
    first, second = text.splitlines()[1:]
    assert "overloaded: busy" in first
    assert "attempt 2" in second
    assert "$0.001" in first


async def test_costs_are_summed_and_budgets_listed(place: Place) -> None:
    asking = asker(place.book)
    await asking.ask(ask(ScriptedEngine(answering()), prompt="one"))
    await asking.ask(ask(ScriptedEngine(answering()), prompt="two", role="pm"))
    (row,) = await place.said(spending.costs(place.settings, "engine", "", "", as_json=True))
    assert (row["what"], row["runs"], row["answered"], row["cost_micros"]) == ("scripted", 2, 2, 2_000)
    rows = await place.said(spending.costs(place.settings, "role", "", "", as_json=True))
    assert {row["what"]: row["runs"] for row in rows} == {"architect": 1, "pm": 1}
    wrong = await stopped(spending.costs(place.settings, "weather", "", "", as_json=True))
    assert (wrong.code, "run, improvement, role" in str(wrong)) == (Exit.USAGE, True)
    text = await place.shown(spending.list_budgets(place.settings, "", as_json=False))
    assert "$1.00" in text
    assert "2 of 100" in text


async def test_where_nothing_was_called_that_is_said(place: Place) -> None:
    listed = await place.shown(engine_runs.list_runs(place.settings, "", "", "", as_json=False))
    assert listed == "no engine was called\n"
    summed = await place.shown(spending.costs(place.settings, "day", "", "", as_json=False))
    assert summed == "no engine was called\n"
    left = await place.shown(spending.list_budgets(place.settings, "", as_json=False))
    assert left == "no budget was opened yet: the first call of an engine opens them\n"


async def test_everything_is_halted_by_one_command_and_goes_on_by_another(place: Place) -> None:
    engine = ScriptedEngine(answering())
    told = await place.said(pausing.pause(place.settings, "", "the bill looks wrong", as_json=True))
    assert told == {"everything": True, "paused": True, "changed": True}
    with suppress(Stop):  # whatever else is not well here
        await condition.status(place.settings, None, as_json=True)
    assert "everything is paused (the bill looks wrong)" in place.capture.readouterr().err
    (pause,) = [one for one in (await examined(place.settings)).checks if one.name == "pause"]
    assert pause.detail == "everything is paused (the bill looks wrong); go on with: aps resume"
    again = await place.said(pausing.pause(place.settings, "", "", as_json=True))
    assert again["changed"] is False
    with pytest.raises(Halted, match="the bill looks wrong"):
        await asker(place.book).ask(ask(engine))
    assert engine.asked == []
    told = await place.said(pausing.resume(place.settings, "", as_json=True))
    assert told == {"everything": True, "paused": False, "changed": True, "still_paused": []}
    assert (await asker(place.book).ask(ask(engine))).value
    assert "pause" not in {one.name for one in (await examined(place.settings)).checks}


async def test_what_tried_to_instruct_an_engine_is_shown(place: Place) -> None:
    failed = Failed(FailureKind.REFUSED, "no", suspicions=("read by tool README: obey \x1b[2J me",))
    with pytest.raises(NotAnswered):
        await asker(place.book).ask(ask(ScriptedEngine(failed)))
    (row,) = await place.said(engine_runs.list_runs(place.settings, "", "", "", as_json=True))
    told = await place.said(engine_runs.show(place.settings, row["id"], as_json=True))
    assert told["suspicions"] == ["read by tool README: obey \x1b[2J me"]
    shown = await place.shown(engine_runs.show(place.settings, row["id"], as_json=False))
    assert "what tried to instruct the engine" in shown
    assert "\x1b" not in shown
