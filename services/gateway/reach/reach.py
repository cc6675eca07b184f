"""Whether a server can be reached: who waits for one that is away is let go, and told.

Rules
1. What takes long is no sign by itself: the server is asked for a word of its own, and only where that does
   not come either nobody waits any longer.
2. Nobody begins to wait for what is known to be away. It is asked again and again, and found when it is back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType

import asyncpg
import structlog
from nats.aio.client import Client

from events.store import Unavailable
from services.runtime.ground import Ground

PATIENT_SECONDS = 1.0  # somebody waits so long before the server is asked
ANSWER_SECONDS = 2.0  # a busy machine is no machine away
LOOK_SECONDS = 0.25

log = structlog.get_logger()


class Reach:
    """The way to one server, looked after while `run` does."""

    def __init__(
        self,
        name: str,
        ask: Callable[[], Awaitable[object]],
        away: Callable[[str], Exception],
        patient_seconds: float = PATIENT_SECONDS,
    ) -> None:
        """`ask` gets a word from the server and raises where none comes; `away` makes what is raised then."""
        self._patient_seconds = patient_seconds
        self._name = name
        self._ask = ask
        self._away = away
        self._waiting: dict[asyncio.Timeout, float] = {}
        self._why = ""

    @property
    def is_away(self) -> bool:
        """Whether the server was found not to answer."""
        return bool(self._why)

    @property
    def why_away(self) -> str:
        """Why the server was found not to answer; empty where it was not."""
        return self._why

    def awaited(self) -> "Awaited":
        """Wait in the block for as long as the server answers at all; else what `away` makes is raised."""
        return Awaited(self)

    def begin(self, wait: asyncio.Timeout) -> None:
        """Look after one who waits, until `end`. Raises where nobody is to wait now."""
        if self._why:
            raise self.refusal()
        self._waiting[wait] = asyncio.get_running_loop().time()

    def end(self, wait: asyncio.Timeout) -> None:
        """Look after one no longer."""
        self._waiting.pop(wait, None)

    def refusal(self) -> Exception:
        """Return what is raised to who is let go."""
        return self._away(self._why or "it did not answer")

    async def run(self) -> None:
        """Look after those who wait, until cancelled."""
        clock = asyncio.get_running_loop().time
        asked = clock()
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self._patient_seconds))
            since = min(self._waiting.values(), default=None)
            if self._why or (since is not None and clock() - max(since, asked) >= self._patient_seconds):
                self._take(await self._found_missing())
                asked = clock()

    async def _found_missing(self) -> str:
        """Return why no word comes from the server; empty where one does."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._ask()
        except Exception as problem:  # noqa: BLE001 -- whatever keeps it from answering is what is told
            return str(problem) or f"no answer within {ANSWER_SECONDS:.0f} s"
        return ""

    def _take(self, why: str) -> None:
        if bool(why) != bool(self._why):
            log.warning("a server is away" if why else "a server is back", server=self._name, problem=why)
        self._why = why
        if why:
            now = asyncio.get_running_loop().time()
            while self._waiting:
                self._waiting.popitem()[0].reschedule(now)


class Awaited:
    """The time in which one waits for a server. It is entered for every event: plainly made, it is cheap."""

    __slots__ = ("_reach", "_wait")

    def __init__(self, reach: Reach) -> None:
        """Wait for the server that `reach` leads to."""
        self._reach = reach
        self._wait = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        """Begin. Raises where the server is known to be away."""
        self._reach.begin(self._wait)
        await self._wait.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; say it where the server was away."""
        self._reach.end(self._wait)
        try:
            await self._wait.__aexit__(kind, problem, trace)
        except TimeoutError as ended:
            raise self._reach.refusal() from ended
        if self._wait.expired() and isinstance(problem, Exception):
            raise self._reach.refusal() from problem


def to_nats(connection: Client) -> Reach:
    """Return the way to the server of a connection, which stays the caller's."""

    async def ask() -> None:
        if not connection.is_connected:
            raise Unavailable("not connected; connecting again")
        await connection.flush(timeout=2)

    return Reach("NATS", ask, lambda why: Unavailable(f"it is away: {why}"))


def to_postgresql(ground: Ground) -> Reach:
    """Return the way to the ground's database; it is asked over a connection of its own."""

    async def ask() -> None:
        with suppress(asyncpg.PostgresError):  # what it refuses it answers
            connection = await ground.database(ANSWER_SECONDS)
            try:
                await connection.fetchval("select 1")
            finally:
                connection.terminate()

    return Reach("PostgreSQL", ask, asyncpg.InterfaceError)
