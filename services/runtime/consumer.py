"""Delivers events to one agent: pulls from its durable consumer, acknowledges after the agent is done.

Rules
1. An event is acknowledged only after its reaction appended what it had to.
2. While an agent works, the delivery is kept alive.
3. `Later`, a log that is away or lost its end, and a full disk deliver again after a delay and never count
   as failures; while the disk is full nothing new is pulled.
4. An event that failed `MAX_FAILURES` times goes to the dead letters, with the reason; one that this
   program cannot read, because it is malformed, unknown or newer, goes there at once.
5. So does an event at the end of a chain of more than `MAX_DEPTH` events, each caused by the one before: it
   may be a loop, and a person decides whether it goes on (`aps dead replay`).
"""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.depth import depth_in
from events.envelope import Unreadable, decode
from events.store import Recorded, Shortened, Unavailable
from events.subjects import STREAM, subject
from events.trouble import in_words
from events.upcasting import UnknownFact
from services.runtime.away import Away
from services.runtime.burying import GivenUp, bury
from services.runtime.claims import Later
from services.runtime.deliveries import Deliveries, deliveries
from services.runtime.ending import end
from services.runtime.log import Delivered
from services.runtime.room import Look, is_full, until_room
from services.runtime.tracing import span

log = structlog.get_logger()

MAX_FAILURES = 5
MAX_DEPTH = 200
FETCH_SECONDS = 5.0
ALIVE_SECONDS = 3.0


@dataclass(frozen=True)
class Pauses:
    """Seconds before something is tried again: what failed or was away, and what a full disk kept."""

    retry: float = 1.0
    room: float = 5.0


USUAL = Pauses()


class TooDeep(Exception):  # noqa: N818 -- what was found
    """The chain of causes that ends in an event is longer than any work needs."""


class Agent(Protocol):
    """Reacts to events. Must be idempotent: the same event may come twice."""

    @property
    def role(self) -> str:
        """The name of the role, and of its durable consumer."""
        ...

    async def react(self, event: Recorded) -> None:
        """Do whatever the event asks for and append the outcome; raise `Later` to see it again."""
        ...


def _room() -> None:
    """Find room always."""


class Consumer:
    """Feeds one agent from the durable consumer named after its role, while `look` finds room."""

    def __init__(
        self,
        connection: Client,
        agent: Agent,
        parallel: int = 1,
        look: Look = _room,
        pauses: Pauses = USUAL,
        away: Away | None = None,
    ) -> None:
        self._connection = connection
        self._agent = agent
        self._parallel = parallel
        self._look = look
        self._pauses = pauses
        self._away = away or Away()
        self._failures: Counter[int] = Counter()
        self.handled = 0

    async def run(self) -> None:
        """Deliver until cancelled; what is under way when cancelled is delivered again to another copy."""
        working: set[asyncio.Task[None]] = set()
        try:
            while True:
                await self._pull(working)
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    async def _pull(self, working: set[asyncio.Task[None]]) -> None:
        try:
            pulling = deliveries(self._connection, STREAM, self._agent.role, self._pauses.retry)
            async with pulling as found:
                while True:
                    await self._take(found, working)
        except nats.js.errors.NotFoundError as problem:
            log.error("the consumer is gone: run `aps setup`", role=self._agent.role, problem=str(problem))  # noqa: TRY400 -- the trace tells nothing
            await asyncio.sleep(self._pauses.retry)
        except (nats.errors.Error, ConnectionError, TimeoutError) as problem:
            log.warning("pulling again", role=self._agent.role, problem=repr(problem))
            await asyncio.sleep(self._pauses.retry)

    async def _take(self, found: Deliveries, working: set[asyncio.Task[None]]) -> None:
        free = self._parallel - len(working)
        if free <= 0:
            await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            return
        await until_room(self._look)
        messages = await found.fetch(free, FETCH_SECONDS)
        if not messages:
            await found.require()
        for message in messages:
            task = asyncio.create_task(self._deliver(message))
            working.add(task)
            task.add_done_callback(working.discard)

    async def _deliver(self, message: Msg) -> None:
        alive = asyncio.create_task(_keep_alive(message))
        try:
            await self._react(message, message.metadata.sequence.stream)
        except (nats.errors.Error, ConnectionError, TimeoutError, Unavailable) as problem:
            # what was not acknowledged is delivered again
            log.warning("delivery interrupted", role=self._agent.role, problem=repr(problem))
        finally:
            await end(alive)

    async def _react(self, message: Msg, seq: int) -> None:
        try:
            await react(self._agent, _checked(message, seq))
            self._away.worked()
            await message.ack()
        except Later as later:
            await message.nak(delay=later.seconds)
        except (Unavailable, Shortened) as away:
            log.warning("the log is away", role=self._agent.role, problem=str(away))
            self._away.failed(away)
            await message.nak(delay=self._pauses.retry)
        except (Unreadable, UnknownFact, TooDeep) as hopeless:
            await self._bury(message, seq, str(hopeless))
        except (nats.errors.Error, ConnectionError):
            raise
        except Exception as failure:  # noqa: BLE001 -- the process boundary: whatever it was, retry
            await self._failed(message, seq, failure)
        else:
            self._failures.pop(seq, None)
            self.handled += 1

    async def _failed(self, message: Msg, seq: int, failure: Exception) -> None:
        if is_full(failure):
            log.warning("put off: the disk is full", role=self._agent.role, seq=seq, problem=str(failure))
            await message.nak(delay=self._pauses.room)
            return
        self._failures[seq] += 1
        log.error("reaction failed", role=self._agent.role, seq=seq, exc_info=failure)
        if self._failures[seq] >= MAX_FAILURES:
            await self._bury(message, seq, in_words(failure))
        else:
            await message.nak(delay=self._pauses.retry * self._failures[seq])

    async def _bury(self, message: Msg, seq: int, reason: str) -> None:
        what = GivenUp(self._agent.role, seq, message.subject, reason, message.data)
        dropped = await bury(self._connection, what)
        await message.ack()
        log.error("dead letter" if dropped else "given up again; its letter stands", **what.letter)


async def react(agent: Agent, event: Recorded) -> None:
    """Let an agent react, as a part of the trace that the event belongs to. Raises what the agent raises."""
    envelope = event.envelope
    about = {"aps.subject": envelope.subject, "aps.seq": str(event.seq)}
    expected = (Later, Unavailable, Shortened)
    with span(f"{agent.role}: {envelope.type}", envelope.traceparent, expected, about):
        await agent.react(event)


def _checked(message: Msg, seq: int) -> Delivered:
    """Read a delivered event; the server's rights hold subjects only, so the envelope must fit its own.

    Raises `Unreadable`, and `TooDeep` by rule 5.
    """
    envelope = decode(message.data)
    if subject(envelope.address) != message.subject:
        raise Unreadable(f"{message.subject} holds a {subject(envelope.address)}")
    depth = depth_in(message.headers)
    if depth > MAX_DEPTH:
        chain = f"the chain of events that leads here is {depth} long"
        raise TooDeep(f"{chain}, and {MAX_DEPTH} are allowed: it may be a loop")
    return Delivered(seq, envelope, depth)


async def _keep_alive(message: Msg) -> None:
    while True:
        await asyncio.sleep(ALIVE_SECONDS)
        with suppress(
            nats.errors.Error, ConnectionError
        ):  # a lost sign of life only means an earlier redelivery
            await message.in_progress()
