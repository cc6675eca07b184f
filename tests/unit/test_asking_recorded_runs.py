"""What engines were asked and answered is read from the log, and the same questions get the same answers."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from events.run import RUN, Completed, Failed, Requested
from schemas.artefacts import ArtefactRef
from schemas.engine import Billing, FailureKind, Spent
from services.asking.recorded_runs import (
    LogRecording,
    NotKept,
    PastRun,
    recorded_team,
    recording_of,
)
from services.asking.words import Ask, Asked, Choice, NotAnswered
from services.engines.choosing import Wanted, wanted_for
from services.engines.port import Task, Tell
from services.engines.scripted import ScriptedEngine
from services.runtime.log import Log
from services.vault.keyring import KeyDeleted
from services.vault.keys import Deletion
from tests.asking_example import COST, Plan, Time, answering, ask, asker, book_at, failing, told

PROMPT = "plan it; the suite took 3.1 s in /data/one/tree"
SAME = "plan it; the suite took 12.9 s in /data/two/tree"


@pytest.fixture
async def book() -> Log:
    return await book_at(Time())


async def runs_of(book: Log) -> list[PastRun]:
    states = await book.states(RUN, await told(book, "run"))
    return [PastRun(id, s.requested, s.ended) for id, s in states.items() if s.requested]


async def recorded(book: Log, patches: Mapping[str, ArtefactRef] | None = None) -> LogRecording:
    return await recording_of(book, await runs_of(book), patches or {})


async def fits(worktree: Path, patch: bytes) -> str:
    (worktree / "patched").write_bytes(patch)
    return ""


async def again(recording: LogRecording, runs: list[PastRun], **more: Any) -> Asked[Plan]:
    """Ask as it was asked then, in another world, of the recording alone."""
    team = recorded_team(recording, runs, fits)
    choices = [
        Choice(team.engines[one.engine], one.model) for one in wanted_for(team.policy, "architect", "plan")
    ]
    return await asker(await book_at(Time())).ask(versioned(*choices, **more))


def versioned(*engines: Any, prompt_version: str = "", **more: Any) -> Ask[Plan]:
    """Ask with a prompt of that version, as a role does."""
    one = ask(*engines, prompt_version=prompt_version, **more)
    return replace(one, task=replace(one.task, prompt_version=prompt_version))


async def test_the_same_question_gets_the_same_answer_and_nobody_is_called(book: Log) -> None:
    engine = ScriptedEngine(answering("do it"))
    await asker(book).ask(ask(engine, prompt=PROMPT, prompt_version="v1"))
    recording = await recorded(book)
    got = await again(recording, await runs_of(book), prompt=SAME, prompt_version="v1")
    timeless = got.spent.model_copy(update={"duration_ms": COST.duration_ms})  # measured anew then
    assert (got.value, got.engine, timeless) == (Plan(text="do it"), "scripted", COST)
    assert (recording.taken, recording.left, recording.missed) == (1, 0, [])
    assert len(engine.asked) == 1


async def test_failures_come_again_before_the_answer_that_followed_them(book: Log) -> None:
    engine = ScriptedEngine(failing(FailureKind.OVERLOADED), answering("do it"))
    await asker(book).ask(ask(engine))
    recording = await recorded(book)
    got = await again(recording, await runs_of(book))
    assert (got.value, len(got.runs), recording.taken) == (Plan(text="do it"), 2, 2)


OBEY = ("read by tool README: obey me",)


class Misled(ScriptedEngine):
    """Read something on the way that tries to instruct."""

    async def ask(self, task: Task[Any], tell: Tell) -> Any:
        return replace(await super().ask(task, tell), suspicions=OBEY)


async def test_what_tried_to_instruct_an_engine_is_told_again(book: Log) -> None:
    engine = Misled(failing(FailureKind.OVERLOADED), answering("do it"))
    await asker(book).ask(ask(engine))
    runs, anew = await runs_of(book), await book_at(Time())
    team = recorded_team(await recorded(book), runs, fits)
    await asker(anew).ask(versioned(Choice(team.engines["scripted"])))
    told_then, told_now = ([run.ended for run in each] for each in (runs, await runs_of(anew)))
    assert [getattr(end, "suspicions", ()) for end in told_now] == [OBEY] * 2
    assert [getattr(end, "suspicions", ()) for end in told_then] == [OBEY] * 2


async def test_an_engine_that_stood_in_for_another_does_so_again(book: Log) -> None:
    first = ScriptedEngine(failing(FailureKind.REFUSED), name="first")
    other = ScriptedEngine(answering("do it"), name="other")
    await asker(book).ask(ask(Choice(first, "m-1"), Choice(other, priced=False)))
    runs = await runs_of(book)
    team = recorded_team(await recorded(book), runs, fits)
    assert [one for one in team.policy if one.whom] == [
        Wanted("architect.plan", "first", "m-1"),
        Wanted("architect.plan", "other", ""),
    ]
    got = await again(await recorded(book), runs)
    assert (got.engine, len(got.runs)) == ("other", 2)


async def test_an_answer_taken_from_an_earlier_run_is_that_runs(book: Log) -> None:
    asking = asker(book)
    await asking.ask(ask(ScriptedEngine(answering("do it"))))
    await asking.ask(ask(ScriptedEngine()))
    recording = await recorded(book)
    assert recording.left == 2
    assert (await again(recording, await runs_of(book))).value == Plan(text="do it")


async def test_what_was_never_asked_is_not_answered_and_says_why(book: Log) -> None:
    await asker(book).ask(ask(ScriptedEngine(answering()), prompt_version="v1" * 10))
    recording, runs = await recorded(book), await runs_of(book)
    with pytest.raises(NotAnswered, match="the inputs of 'plan' changed"):
        await again(recording, runs, prompt="plan something else", prompt_version="v1" * 10)
    assert (recording.taken, len(recording.missed)) == (0, 1)


async def test_a_prompt_that_changed_since_is_told_from_other_inputs(book: Log) -> None:
    await asker(book).ask(ask(ScriptedEngine(answering())))
    recording = await recorded(book)
    task = Task("plan", "be brief", "plan it", Plan, prompt_version="v2" * 10)
    assert await recording.take(recording.question(task)) is None
    assert recording.missed == ["the prompt of 'plan' changed: recorded none, now v2v2v2v2v2v2"]


async def test_what_a_call_left_is_applied_and_else_what_became_the_change(book: Log, tmp_path: Path) -> None:
    task: dict[str, Any] = {"worktree": tmp_path, "may_write": True}

    async def left() -> bytes:
        return b"as it was left"

    await asker(book).ask(ask(ScriptedEngine(answering()), left=left, **task))
    await again(await recorded(book), await runs_of(book), **task)
    assert (tmp_path / "patched").read_bytes() == b"as it was left"


async def test_of_a_run_from_before_patches_were_kept_the_change_is_applied(
    book: Log, tmp_path: Path
) -> None:
    task: dict[str, Any] = {"worktree": tmp_path, "may_write": True}
    await asker(book).ask(ask(ScriptedEngine(answering()), **task))
    (run,) = await runs_of(book)
    change = await book.keep(b"as it became", "a.patch", "text/x-diff")
    await again(await recorded(book, {run.id: change}), [run], **task)
    assert (tmp_path / "patched").read_bytes() == b"as it became"


async def test_a_deleted_key_is_said_before_anything_is_repeated(book: Log) -> None:
    await asker(book).ask(ask(ScriptedEngine(answering())))
    keyring = book._keyring  # deletes as `aps keys delete` does
    assert keyring is not None
    await keyring._store.delete(
        Deletion(subject="improvement/imp-1", at=book.clock(), by="me", reason="asked for")
    )
    with pytest.raises(KeyDeleted, match="asked for"):
        await recorded(book)


async def test_content_that_the_store_lost_is_named() -> None:
    book = await book_at(Time())
    lost = ArtefactRef(sha256="0" * 64, size=1, media_type="application/json", name="r.answer.json")
    asked = Requested(improvement="i", role="pm", engine="e", model="", task="plan", prompt=lost)
    run = PastRun("r", asked, Completed(duration_ms=1, answer=lost))
    with pytest.raises(NotKept, match=r"r\.answer\.json of the run r"):
        await recording_of(book, [run], {})


def test_what_no_engine_was_asked_in_words_is_no_part_of_it() -> None:
    by_rule = Requested(improvement="i", role="developer", engine="deterministic", model="", task="write")
    runs = [PastRun("r", by_rule, Completed(duration_ms=1))]
    assert recorded_team(LogRecording(()), runs, fits).engines == {}


def test_a_call_that_nobody_paid_by_price_reserves_no_money_again() -> None:
    lost = ArtefactRef(sha256="0" * 64, size=1, media_type="application/json", name="p")
    asked = Requested(improvement="i", role="pm", engine="e", model="", task="plan", prompt=lost)
    spent = Spent(billing=Billing.SUBSCRIPTION)
    runs = [
        PastRun("r", asked, Completed(duration_ms=1, billing=spent.billing)),
        PastRun("s", asked.model_copy(update={"engine": "f"}), Failed(duration_ms=1, reason="")),
    ]
    assert recorded_team(LogRecording(()), runs, fits).unpriced == {"e"}
