"""How improvements are shown, dead letters folded, and events given to a role again."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import orjson
import pytest

from events.envelope import Envelope
from events.jetstream.stream_reader import Stored
from events.store import Recorded, Unavailable
from events.subjects import closed_letter, dead_letter
from schemas.findings import Site
from schemas.improvement import GateResult, LeftOut, ScenarioResult, StepResult
from services.cli.decisions.portrait import gate_line, part_line, scenario_lines
from services.cli.session import Exit, Stop
from services.cli.work.redelivery import reaction
from services.runtime.claims import Later
from services.runtime.ending import end
from services.steering.letters import Closing, folded

NOW = datetime(2026, 1, 2, tzinfo=UTC)
EVENT = Recorded(
    7,
    Envelope(
        id="e",
        source="s",
        type="aps.target.paused.v1",
        subject="target/t1",
        time=NOW.isoformat(),
        dataschema="d",
        data={},
        actor="a",
        correlationid="c",
        causationid="",
        sequence=1,
        prevhash="0" * 64,
    ),
)


class Reacting:
    """An agent that does, in turn, what it is told."""

    role = "pm"

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.seen: list[int] = []

    async def react(self, event: Recorded) -> None:
        self.seen.append(event.seq)
        if (answer := self.answers.pop(0)) is not None:
            raise answer


def step(text: str, *, passed: bool) -> StepResult:
    return StepResult(keyword="Then ", text=text, passed=passed, evidence="3 tests fail")


def test_each_step_of_a_scenario_has_its_mark_and_a_failed_one_its_evidence() -> None:
    steps = (step("all is well", passed=True), step("no test fails", passed=False))
    assert list(scenario_lines(ScenarioResult(name="Safe", steps=steps))) == [
        "✗ Safe",
        "    ✓ Then all is well",
        "    ✗ Then no test fails: 3 tests fail",
    ]


def test_evidence_cannot_move_the_cursor() -> None:
    gate = GateResult(gate="suite", version="1", passed=True, evidence="a\x1b[2Jb\nc")
    assert gate_line(gate) == "✓ suite                   a\\x1b[2Jb c"


def test_a_part_left_out_is_a_file_or_a_place_in_it() -> None:
    assert part_line(LeftOut(path="a.py", reason="r")) == "a.py"
    place = Site(path="a.py", scope="f", text="x = 1")
    assert part_line(LeftOut(path="a.py", site=place, reason="r")) == "a.py: x = 1"


def test_a_letter_is_open_until_a_message_says_what_was_done_about_it() -> None:
    def letter(number: int) -> Stored:
        body = {"role": "qa", "seq": number + 40, "subject": "s", "reason": "r"}
        return Stored(number, dead_letter("qa", number + 40), orjson.dumps(body))

    closing = Closing(letter=1, how="discarded", reason="gone", by="cli@x", at=NOW)
    closed = Stored(3, closed_letter(1), closing.model_dump_json().encode(), None)
    first, second = folded([letter(1), letter(2), closed])
    assert (first.number, first.seq, first.closed) == (1, 41, closing)
    assert (second.number, second.closed) == (2, None)


async def test_an_event_that_the_role_is_done_with_has_no_failure() -> None:
    agent = Reacting(Later(0.0, "held"), None)
    assert await reaction(agent, EVENT, 5) == ""
    assert agent.seen == [7, 7]


async def test_an_event_that_fails_again_says_why() -> None:
    assert await reaction(Reacting(RuntimeError("no such file")), EVENT, 5) == "no such file"


async def test_a_role_that_asks_for_more_time_than_there_is_ends_the_command() -> None:
    with pytest.raises(Stop, match="held by another") as stopped:
        await reaction(Reacting(Later(60.0, "held by another")), EVENT, 5)
    assert stopped.value.code is Exit.TIMED_OUT


async def test_a_log_out_of_reach_is_no_failure_of_the_event() -> None:
    with pytest.raises(Unavailable):
        await reaction(Reacting(Unavailable("away")), EVENT, 5)


async def test_a_task_ends_though_its_first_cancellation_is_lost() -> None:
    started = asyncio.Event()

    async def forgetful() -> None:
        with suppress(asyncio.CancelledError):
            started.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(forgetful())
    await started.wait()
    await end(task)
    assert task.cancelled()


async def test_ending_a_task_tells_what_it_failed_with() -> None:
    async def failing() -> None:
        raise RuntimeError("died before")

    task = asyncio.create_task(failing())
    await asyncio.wait({task})
    with pytest.raises(RuntimeError, match="died before"):
        await end(task)
