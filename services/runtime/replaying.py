"""Has a role take an event again: asked over NATS by the gateway, done by a running copy of the role.

Rules
1. One copy takes it, says so at once, and says at the end what came of it. Nobody there: the asker is told.
2. An event that was reacted to already changes nothing more: every agent bears the same event twice.
3. Only a sequence of the log is taken from who asks; the event is read from the log.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import Field, ValidationError

from events.store import Broken, Recorded, Unavailable
from events.subjects import replay_by
from events.trouble import in_words
from schemas.base import Frozen
from services.runtime.claims import Later
from services.runtime.consumer import Agent, react
from services.runtime.ending import end
from services.runtime.log import Log

MOST_SECONDS = 600.0
TAKEN_SECONDS = 3.0
NO_RESPONDERS = "503"

log = structlog.get_logger()


class NobodyThere(Exception):  # noqa: N818 -- what was found
    """No copy of the role runs, or none answers."""


class Again(Frozen):
    """The event to be taken again."""

    seq: int = Field(ge=1)


class Said(Frozen):
    """What a copy says: that it took the event (`done` false), then what came of it."""

    done: bool
    failure: str = ""


async def react_again(agent: Agent, event: Recorded, seconds: float) -> str:
    """Let `agent` react to `event`, waiting while it asks for that; return why it could not, or nothing.

    Raises `Later` when it asks for more than `seconds` (0: no limit), and what being away raises.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while True:
        try:
            await react(agent, event)
        except Later as later:
            if seconds and clock() + later.seconds > deadline:
                raise
            await asyncio.sleep(later.seconds)
        except (Unavailable, nats.errors.Error, OSError):
            raise
        except Exception as failure:  # whatever it was, the letter stays
            log.exception("replayed in vain", role=agent.role, seq=event.seq)
            return in_words(failure)
        else:
            return ""


@asynccontextmanager
async def taking_again(connection: Client, agent: Agent, book: Log) -> AsyncIterator[None]:
    """Take events again whenever asked, for the time of the block."""
    working: set[asyncio.Task[None]] = set()

    async def asked(message: Msg) -> None:
        task = asyncio.create_task(_answer(message, agent, book))
        working.add(task)
        task.add_done_callback(working.discard)

    subscription = await connection.subscribe(replay_by(agent.role), queue=agent.role, cb=asked)
    try:
        yield
    finally:
        if not connection.is_closed:
            await subscription.unsubscribe()
        for task in tuple(working):
            await end(task)


async def _answer(message: Msg, agent: Agent, book: Log) -> None:
    try:
        await message.respond(Said(done=False).model_dump_json().encode())
        failure = await _again(message.data, agent, book)
        await message.respond(Said(done=True, failure=failure[:4000]).model_dump_json().encode())
    except (nats.errors.Error, ConnectionError) as problem:
        log.warning("nobody was told what came of a replay", role=agent.role, problem=repr(problem))


async def _again(body: bytes, agent: Agent, book: Log) -> str:
    try:
        seq = Again.model_validate_json(body).seq
        async for event in book.store.read_all(seq - 1, seq):
            return await react_again(agent, event, MOST_SECONDS)
    except ValidationError:
        return "no event was named"
    except Later as later:
        return f"it cannot be done now: {later}"
    except (Broken, Unavailable, TimeoutError, OSError) as problem:
        return str(problem) or "it took too long"
    return f"the log has no event {seq}"


class Taken:
    """One event that a copy of a role took; `outcome` waits for what came of it."""

    def __init__(self, answers: "asyncio.Queue[Msg]") -> None:
        """`answers` holds what the copy says next."""
        self._answers = answers

    async def outcome(self) -> str:
        """Return why the event could not be taken, or nothing; also when the copy is not heard of again."""
        try:
            async with asyncio.timeout(MOST_SECONDS + TAKEN_SECONDS):
                while not (said := _said(await self._answers.get())).done:
                    continue
        except (TimeoutError, ValidationError):
            return "the copy that took it was not heard of again"
        return said.failure


@asynccontextmanager
async def taken_by(connection: Client, role: str, seq: int) -> AsyncIterator[Taken]:
    """Ask a role to take an event again; given as soon as a copy says that it does. Raises `NobodyThere`."""
    inbox = connection.new_inbox()
    answers: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await connection.subscribe(inbox, cb=answers.put)
    try:
        await connection.publish(replay_by(role), Again(seq=seq).model_dump_json().encode(), reply=inbox)
        try:
            async with asyncio.timeout(TAKEN_SECONDS):
                first = await answers.get()
        except TimeoutError:
            raise NobodyThere(f"no copy of {role} answers") from None
        if (first.headers or {}).get("Status") == NO_RESPONDERS:
            raise NobodyThere(f"no copy of {role} runs: start one (aps up, or aps run {role})")
        yield Taken(answers)
    finally:
        if not connection.is_closed:
            await subscription.unsubscribe()


def _said(message: Msg) -> Said:
    return Said.model_validate_json(message.data)
