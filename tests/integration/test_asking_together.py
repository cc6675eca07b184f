"""Processes that ask at the same time on a real server: together they never exceed a budget."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from events.budget import BUDGET, Budget
from events.catalogue import read_fact
from events.run import RUN, Failed
from schemas.engine import FailureKind
from services.runtime.log import Log, stamp_of
from services.vault.jetstream import JetStreamKeyStore
from tests.asking_example import PRICE
from tests.asking_process import ROOT, SECONDS, TEN, Brief, Counting, asker, book_on, now, one
from tests.log_server import REPOSITORY, LogServer

PROCESSES, CALLS = 5, 10
ALLOWED = 10
PATIENCE = 60.0


@pytest.fixture
async def ready(server: LogServer) -> AsyncIterator[LogServer]:
    async with server.connection("admin") as admin:
        await JetStreamKeyStore(admin).add_first_root(ROOT.id)
    yield server


async def ready_to_ask(server: LogServer, calls: Path, count: int = CALLS, *more: str) -> Process:
    command = ("-m", "tests.asking_process", str(server.port), str(calls), str(count), *more)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdin=PIPE, stdout=PIPE, cwd=REPOSITORY
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while await process.stdout.readline() != b"ready\n":
            assert process.returncode is None
    return process


def begin(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"begin\n")


def called(calls: Path) -> list[int]:
    """The process of every call that began."""
    return [int(line) for line in calls.read_text().split()] if calls.exists() else []


async def said(book: Log, fact: str, count: int) -> None:
    """Wait until a fact stands on the log so many times."""
    async with asyncio.timeout(PATIENCE):
        async for event in book.store.live():
            count -= event.envelope.address.fact == fact
            if count == 0:
                return


async def budgets(book: Log) -> list[Budget]:
    """The day's budget after each of its events."""
    states, state = list[Budget](), BUDGET.initial
    async for event in book.store.read_all():
        if event.envelope.subject.startswith("budget/day-"):
            state = BUDGET.evolve(state, read_fact(event.envelope), stamp_of(event))
            states.append(state)
    return states


def within(states: list[Budget]) -> bool:
    return all(one.reserved_micros + one.committed_micros <= ALLOWED * PRICE for one in states)


async def test_fifty_calls_on_a_budget_for_ten_begin_ten_though_one_process_is_killed(
    ready: LogServer, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    processes = await asyncio.gather(*(ready_to_ask(ready, calls) for _ in range(PROCESSES)))
    for process in processes:
        begin(process)
    async with book_on(ready) as book:
        await said(book, "started", ALLOWED)
        async with asyncio.timeout(PATIENCE):
            while len(called(calls)) < ALLOWED:  # noqa: ASYNC110 -- other processes write the file
                await asyncio.sleep(0.01)
        victim = next(each for each in processes if each.pid == called(calls)[0])
        victim.kill()
        lost = called(calls).count(victim.pid)
        survivors = [each for each in processes if each is not victim]
        told = await ended(survivors)
        await victim.wait()

        assert len(called(calls)) == ALLOWED
        answered = ALLOWED - lost
        assert (told.count("answered"), told.count("budget_exhausted")) == (
            answered,
            CALLS * len(survivors) - answered,
        )
        states = await budgets(book)
        assert within(states)
        assert (len(states[-1].reserved), states[-1].runs) == (lost, ALLOWED - lost)
        assert states[-1].exhausted is not None

        go = asyncio.Event()
        go.set()
        assert await one(asker(book, limits=TEN), Counting(calls, go), "too early") == "budget_exhausted"
        dead = set(states[-1].reserved)

    async with book_on(ready, later) as book:
        engine = Counting(calls, go)
        told = [await one(asker(book, limits=TEN), engine, f"later {n}") for n in range(lost + 1)]
        assert told == ["answered"] * lost + ["budget_exhausted"]
        states = await budgets(book)
        assert within(states)
        assert (len(states[-1].reserved), states[-1].runs) == (0, ALLOWED)
        for run in dead:
            end = (await book.state(RUN, run)).ended
            assert isinstance(end, Failed)
            assert end.kind is FailureKind.KILLED


def later() -> datetime:
    """The time when every lease of before has run out."""
    return now() + timedelta(seconds=SECONDS + 60)


async def ended(processes: list[Process]) -> list[str]:
    """Let the engines of processes answer, and return how their questions ended."""
    async with asyncio.timeout(PATIENCE):
        outcomes = await asyncio.gather(*(each.communicate(b"") for each in processes))
    assert [each.returncode for each in processes] == [0] * len(processes)
    lines = [line for out, _ in outcomes for line in out.decode().splitlines()]
    return [line.split()[1] for line in lines if line.startswith("ended ")]


async def test_thirty_calls_of_two_processes_are_never_more_than_three_at_once(
    ready: LogServer, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    both = await asyncio.gather(*(ready_to_ask(ready, calls, 15, "--places", "3") for _ in range(2)))
    for process in both:
        begin(process)
    assert await ended(list(both)) == ["answered"] * 30
    most = under_way = 0
    for line in calls.read_text().split():
        under_way += 1 if line == "+" else -1
        most = max(most, under_way)
    assert (most, under_way, calls.read_text().count("+")) == (3, 0, 30)


async def test_an_engine_that_ails_in_one_process_is_not_called_by_another(
    ready: LogServer, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    first = await ready_to_ask(ready, calls, 5, "--places", "9", "--fails")
    begin(first)
    assert await ended([first]) == ["timed_out"] * 5
    async with book_on(ready) as book:
        assert await one(asker(book), Brief(calls), "is it well?") == "timed_out"
    assert calls.read_text().count("+") == 5
    async with book_on(ready, later) as book:
        assert await one(asker(book), Brief(calls), "and now?") == "answered"
