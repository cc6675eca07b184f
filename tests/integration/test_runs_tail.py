"""`aps runs tail`, run as a program, says what the real Claude Code does before its run has ended."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from nats.aio.client import Client

from events.jetstream.artefacts import JetStreamArtefacts
from events.jetstream.log import JetStreamEventStore
from events.run import RUN
from events.subjects import run_progress
from schemas.run_progress import RunProgress
from services.asking.asker import Asker
from services.asking.limits import Limit, Limits
from services.asking.manner import Manner
from services.asking.words import Ask, Choice
from services.runtime.ending import end
from services.runtime.log import Log
from services.sandbox.detect import detect
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keyring import Keyring
from tests.asking_example import BECAUSE, unmasked
from tests.asking_process import ROOT, now
from tests.claude_asking import Verdict, claude, question, worktree_in
from tests.cli_process import COMMAND, PATIENCE, environment
from tests.log_server import PASSWORDS, LogServer
from tests.messages_api import MessagesApi, Step, Use, answers

pytestmark = pytest.mark.slow

LISTENS = b"waiting for words of engines"
PLENTY = Limits(*(Limit(10_000_000, 100),) * 3)
GOOD = answers(verdict="fine", count=3)


class PatientApi(MessagesApi):
    """Answers nothing before somebody listens, and does not end before what was done until then was shown."""

    def __init__(self, *steps: Step) -> None:
        super().__init__({"it": steps})
        self.listened, self.shown = asyncio.Event(), asyncio.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.began.set()
        await self.listened.wait()
        if self.heard:
            await self.shown.wait()
        return await super()._answer(request)


def book_on(connection: Client) -> Log:
    keys = Keyring(JetStreamKeyStore(connection), ROOT, None, now)
    return Log(JetStreamEventStore(connection, now), JetStreamArtefacts(connection), now, keyring=keys)


async def run_of(book: Log) -> str:
    """The run that is under way."""
    begun = [e.envelope.address async for e in book.store.read_all() if e.envelope.address.fact == "started"]
    (one,) = [address.id for address in begun if address.aggregate == RUN.name]
    return one


@asynccontextmanager
async def tailing(
    run: str, *options: str, home: Path, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program `aps runs tail`, once it listens."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("runs", "tail", run, *options),
        env=environment(home, **settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        while LISTENS not in (line := await process.stderr.readline()):
            assert line, "it ended before it listened"
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()


@pytest.mark.parametrize("options", [("--json",), ()], ids=["json", "words"])
async def test_what_a_run_does_is_printed_before_it_has_ended(
    server: LogServer, database: str, open_home: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    worktree = worktree_in(tmp_path)
    reads = Use("Read", {"file_path": str(worktree / "a.txt")})
    settings = {"NATS_URL": server.url, "DATABASE_URL": database, "SECRET_KEY_BASE": "s" * 40, **PASSWORDS}
    async with server.connection("admin") as admin:
        await JetStreamKeyStore(admin).add_first_root(ROOT.id)
    api = PatientApi(reads, GOOD)
    async with api.serving(), server.connection("pm") as connection, asyncio.timeout(PATIENCE):

        async def announce(word: RunProgress) -> None:
            await connection.publish(run_progress(word.run), word.model_dump_json().encode())

        book = book_on(connection)
        choice = Choice(claude(tmp_path, api.url("it"), await detect()))
        ask = Ask(role="pm", improvement="", task=question(worktree), engines=[choice], cause=BECAUSE)
        asking = asyncio.create_task(Asker(book, PLENTY, unmasked, Manner(), announce).ask(ask))
        asking.add_done_callback(lambda _: api.began.set())  # what fails at once is not waited for
        try:
            await api.began.wait()
            run = await run_of(book)
            async with tailing(run, *options, home=open_home / "tail", **settings) as tail:
                assert tail.stdout is not None
                api.listened.set()
                said = list[bytes]()
                while b"Read " not in (line := await tail.stdout.readline()):
                    assert line, "it ended before it said what the engine does"
                    said.append(line)
                assert not asking.done()
                assert (await book.state(RUN, run)).ended is None
                api.shown.set()
                rest = [line, *(await tail.stdout.read()).splitlines()]
                assert await tail.wait() == 0
            assert (await asking).value == Verdict(verdict="fine", count=3)
        finally:
            await end(asking)
    if options:
        words = [RunProgress.model_validate(orjson.loads(one)) for one in (*said, *rest)]
        assert {one.run for one in words} == {run}
        assert [one.kind for one in words][-1] == "ended"
    else:
        assert rest[-1].decode() == f"{run}  ended"
