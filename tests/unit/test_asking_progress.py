"""What an engine does is told while it does it: masked, on one line, not too often, and never in its way."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from schemas.run_progress import RunProgress
from services.asking.telling import telling
from services.engines.port import Progress, Task
from services.engines.scripted import Answering, ScriptedEngine
from tests.asking_example import AT_ONCE, Plan, Time, answering, ask, asker, book_at

LONG = 3600.0


class Hearing:
    """Hears words, and can be waited for."""

    def __init__(self) -> None:
        self.heard: list[RunProgress] = []
        self._came = asyncio.Event()

    async def __call__(self, word: RunProgress) -> None:
        self.heard.append(word)
        self._came.set()

    @property
    def words(self) -> list[tuple[str, str]]:
        return [(one.kind, one.text) for one in self.heard]

    async def until(self, kind: str) -> None:
        async with asyncio.timeout(10):
            while all(one.kind != kind for one in self.heard):
                self._came.clear()
                await self._came.wait()


def saying(kind: str, text: str, turn: int) -> RunProgress:
    return RunProgress(
        run="plan-1",
        improvement="imp-1",
        role="pm",
        engine="scripted",
        model="",
        task="plan",
        attempt=1,
        turn=turn,
        kind=kind,
        text=text,
    )


def unmasked(text: str) -> str:
    return text


async def test_it_arrives_before_the_end() -> None:
    hearing = Hearing()

    async def waits_until_heard(_: Task[Any]) -> Answering:
        await hearing.until("began")
        return Answering(Plan(text="so"), says=[Progress("tool", "Read a.py")])

    book = await book_at(Time())
    asked = await asker(book, announce=hearing).ask(ask(ScriptedEngine(waits_until_heard)))
    assert hearing.words == [("began", ""), ("tool", "Read a.py"), ("ended", "")]
    first = hearing.heard[0]
    assert (first.run, first.improvement, first.role, first.engine, first.task, first.attempt) == (
        asked.run,
        "imp-1",
        "architect",
        "scripted",
        "plan",
        1,
    )


async def test_of_words_that_come_too_fast_the_first_and_the_last_are_told() -> None:
    hearing = Hearing()
    async with telling(saying, unmasked, hearing, seconds_between=LONG) as tell:
        tell(Progress("text", "first"))
        await hearing.until("text")
        for number in range(1000):
            tell(Progress("tool", f"Read {number}"))
    assert hearing.words == [("began", ""), ("text", "first"), ("tool", "Read 999"), ("ended", "")]


async def test_turns_are_counted_though_not_each_is_told() -> None:
    hearing = Hearing()
    async with telling(saying, unmasked, hearing, seconds_between=LONG) as tell:
        for number in range(1, 5):
            tell(Progress("turn", f"turn {number}"))
            tell(Progress("tool", "Read a.py"))
    assert [one.turn for one in hearing.heard] == [0, 4, 4]


async def test_a_word_is_one_bounded_line_without_controls_and_secrets() -> None:
    hearing = Hearing()
    async with telling(saying, lambda text: text.replace("hunter2", "[***]"), hearing) as tell:
        tell(Progress("text", "\x1b[2Jthe word\r\nis \u202ehunter2 " + "x" * 5000))
    _, (_, text), _ = hearing.words
    assert text.startswith("[2Jthe word is [***] x")
    assert (len(text), text.isprintable()) == (200, True)


async def test_nobody_who_listens_badly_is_in_the_way_of_a_call() -> None:
    async def deaf(_: RunProgress) -> None:
        raise ConnectionError("it is away")

    asked = await asker(await book_at(Time()), announce=deaf).ask(ask(ScriptedEngine(answering("so"))))
    assert asked.value == Plan(text="so")


async def test_a_call_that_fails_has_ended_too() -> None:
    hearing = Hearing()
    with pytest.raises(RuntimeError):
        async with telling(saying, unmasked, hearing):
            raise RuntimeError("a bug")
    assert hearing.words[-1] == ("ended", "")


async def test_who_waits_for_a_place_says_so_once() -> None:
    hearing, go = Hearing(), asyncio.Event()

    async def holds(_: Task[Any]) -> Answering:
        await hearing.until("waiting")
        go.set()
        return answering()

    asking = asker(await book_at(Time()), manner=replace(AT_ONCE, parallel=1), announce=hearing)
    engine = ScriptedEngine(holds, answering())
    await asyncio.gather(*(asking.ask(ask(engine, prompt=text)) for text in ("one", "two")))
    waiting = [word for word in hearing.words if word[0] == "waiting"]
    assert waiting == [("waiting", "under way: 1, allowed at once: 1")]
