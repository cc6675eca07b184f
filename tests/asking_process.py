"""A process that asks an engine many things at once, for tests of what several such processes do together.

`python -m tests.asking_process PORT CALLS COUNT` asks COUNT questions of an engine that writes a line with
the process's id to the file CALLS when it is called. It prints `ready`, asks when it is given a line, and the
engine answers when standard input ends. It then prints how each question ended, after the word `ended`.

With `--places N` so many calls are allowed at once, and the engine answers by itself, a moment after it was
called; it writes another line then. With `--fails` it fails instead, as one that does not answer in time.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from events.jetstream.artefacts import JetStreamArtefacts
from events.jetstream.log import JetStreamEventStore
from schemas.engine import Billing, FailureKind, Spent
from services.asking.asker import Asker
from services.asking.calling import Watch
from services.asking.limits import Limit, Limits
from services.asking.manner import Manner
from services.asking.words import NotAnswered
from services.engines.port import Ability, Answered, AnswerT, Bounds, Engine, Failed, Readiness, Task, Tell
from services.runtime.log import Log
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keyring import Keyring
from services.vault.sealing import Root, root_of
from tests.asking_example import PRICE, ask, unmasked
from tests.log_server import LogServer

ROOT: Root = root_of("s" * 40)
SECONDS = 60.0
TEN = Limits(Limit(1_000 * PRICE, 1_000), Limit(10 * PRICE, 1_000), Limit(1_000 * PRICE, 1_000))
MOMENT = 0.15
PLENTY = Limits(*(Limit(1_000 * PRICE, 1_000),) * 3)
MANNER = Manner(pause=0.02, margin=0.0, watch=Watch(look=0.2, overtime=0.0, ending=1.0))


def now() -> datetime:
    return datetime.now(UTC)


class Counting:
    """Notes each call in a file, and answers when `go` is set."""

    name = "counting"
    abilities = frozenset[Ability]()

    def __init__(self, calls: Path, go: asyncio.Event) -> None:
        self._calls = calls
        self._go = go

    async def check(self) -> Readiness:
        return Readiness(ready=True)

    async def ask(self, task: Task[AnswerT], tell: Tell) -> Answered[AnswerT] | Failed:
        _note(self._calls, str(os.getpid()))
        await self._go.wait()
        return _answered(task)


class Brief:
    """Takes a moment, and notes in a file when a call begins (`+`) and ends (`-`); `fails` says how."""

    name = "brief"
    abilities = frozenset[Ability]()

    def __init__(self, calls: Path, fails: bool = False) -> None:
        self._calls = calls
        self._fails = fails

    async def check(self) -> Readiness:
        return Readiness(ready=True)

    async def ask(self, task: Task[AnswerT], tell: Tell) -> Answered[AnswerT] | Failed:
        _note(self._calls, "+")
        await asyncio.sleep(MOMENT)
        _note(self._calls, "-")
        return Failed(FailureKind.TIMED_OUT, "it is down") if self._fails else _answered(task)


def _note(file: Path, line: str) -> None:
    """Append a line whole, whoever else appends."""
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(opened, f"{line}\n".encode())
    finally:
        os.close(opened)


def _answered(task: Task[AnswerT]) -> Answered[AnswerT]:
    spent = Spent(tokens_in=1, cost_micros=PRICE, billing=Billing.PRICE)
    return Answered(task.answer.model_validate({"text": task.prompt}), spent)


@asynccontextmanager
async def book_on(server: LogServer, clock: Callable[[], datetime] = now) -> AsyncIterator[Log]:
    """The log on a server as a role has it."""
    async with server.connection("pm") as connection:
        keys = Keyring(JetStreamKeyStore(connection), ROOT, None, clock)
        store = JetStreamEventStore(connection, clock)
        yield Log(store, JetStreamArtefacts(connection), clock, keyring=keys)


def asker(book: Log, places: int = 100, limits: Limits = PLENTY) -> Asker:
    return Asker(book, limits, unmasked, replace(MANNER, parallel=places))


async def one(asking: Asker, engine: Engine, prompt: str) -> str:
    """Ask, and return how it ended."""
    question = ask(engine, prompt=prompt)
    bounded = replace(question.task, bounds=Bounds(seconds=SECONDS, cost_micros=PRICE))
    try:
        await asking.ask(replace(question, task=bounded))
    except NotAnswered as refused:
        return refused.kind.value
    return "answered"


def _wait_for_the_word() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


async def main(wanted: argparse.Namespace) -> None:
    """Ask all at once."""
    server, go = LogServer(wanted.calls.parent), asyncio.Event()
    server.port = wanted.port

    async def wait_for_the_end() -> None:
        await asyncio.to_thread(sys.stdin.read)
        go.set()

    async with book_on(server) as book, asyncio.TaskGroup() as group:
        await asyncio.to_thread(_wait_for_the_word)
        group.create_task(wait_for_the_end())
        asking = asker(book, wanted.places) if wanted.places else asker(book, limits=TEN)
        engine = Brief(wanted.calls, wanted.fails) if wanted.places else Counting(wanted.calls, go)
        asked = [group.create_task(one(asking, engine, f"{os.getpid()} {n}")) for n in range(wanted.count)]
    sys.stdout.write("".join(f"ended {each.result()}\n" for each in asked))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("calls", type=Path)
    arguments.add_argument("count", type=int)
    arguments.add_argument("--places", type=int, default=0)
    arguments.add_argument("--fails", action="store_true")
    asyncio.run(main(arguments.parse_args()))
