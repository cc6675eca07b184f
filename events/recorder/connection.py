"""A NATS connection on a private loop thread, shared by the recorders of one factory.

Requests are repeated until `patience` is over: one lost in a reconnect is asked again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Event, Lock
from typing import Any, TypeVar
from urllib.parse import urlsplit

import nats.errors
from eventsourcing.persistence import InterfaceError, OperationalError
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from events.recorder.loop import LoopThread
from events.recorder.stream import Failures

PAUSE_SECONDS = 0.1
CONNECT_SECONDS = 5
POLL_SECONDS = 1.0  # a lost bell costs this much

T = TypeVar("T")


class ThreadedConnection:
    """Connects at once and stays connected until closed, however often the server goes away."""

    def __init__(self, url: str, patience: float = 10.0) -> None:
        """`patience` in seconds bounds each call. Raises `OperationalError` when NATS is out of reach."""
        self.client = Client()
        self.patience = patience
        self.thread = LoopThread("eventsourcing-recorder")
        self._url = url
        try:
            self.thread.call(self._connect)
        except BaseException:
            self.thread.close(_end_tasks)
            raise

    def call(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask on the loop thread until there is an answer. Raises `OperationalError`, `InterfaceError`."""
        return self.thread.call(lambda: self.patiently(ask))

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask, on the loop thread, until there is an answer; see `call`."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.patience
        complaint = self.client.last_error
        while True:
            try:
                return await ask()
            except Failures as problem:
                if self.client.is_closed:
                    raise InterfaceError("the recorder was closed") from problem
                if clock() >= deadline or self._forbidden(complaint):
                    raise OperationalError(f"NATS does not answer: {self.reason(problem)}") from problem
            await asyncio.sleep(PAUSE_SECONDS)

    def reason(self, problem: BaseException) -> str:
        """Say why, with the server's last complaint: a refused permission looks like no answer."""
        complaint = self.client.last_error
        why = str(problem) or type(problem).__name__
        return f"{why}; {complaint}" if complaint is not None and str(complaint) not in why else why

    def _forbidden(self, before: Exception | None) -> bool:
        complaint = self.client.last_error
        return complaint is not before and "permissions violation" in str(complaint).lower()

    def close(self) -> None:
        """Close connection and thread; every later call raises `InterfaceError`."""
        self.thread.close(self._close)

    async def _connect(self) -> None:
        options: dict[str, Any] = {
            "name": "eventsourcing-recorder",
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": 0.2,
            "ping_interval": 10,
            "max_outstanding_pings": 2,
            "error_cb": _keep_in_last_error,
        }
        try:
            # with endless attempts the client would never give up on the first connection either
            async with asyncio.timeout(CONNECT_SECONDS):
                await self.client.connect(self._url, **options)
        except (OSError, *Failures) as problem:
            where = urlsplit(self._url).netloc.rpartition("@")[2]
            raise OperationalError(f"NATS at {where} is out of reach: {self.reason(problem)}") from problem

    async def _close(self) -> None:
        # a connection that is lost at this moment is as closed as it can be
        with suppress(OSError, nats.errors.Error):
            await self.client.close()
        await _end_tasks()


class Bell:
    """Wakes threads when a subject is rung, and from time to time, for a ring may be lost."""

    def __init__(self, connection: ThreadedConnection, subject: str) -> None:
        """Nothing is subscribed to before somebody listens."""
        self._connection = connection
        self._subject = subject
        self._listeners: set[Event] = set()
        self._lock = Lock()
        self._subscription: Subscription | None = None

    def listen(self, listener: Event) -> None:
        """Set `listener` from now on, again and again."""
        with self._lock:
            self._listeners.add(listener)
            if self._subscription is None:
                self._subscription = self._connection.call(self._subscribe)

    def unlisten(self, listener: Event) -> None:
        """Leave `listener` alone from now on."""
        with self._lock:
            self._listeners.discard(listener)

    async def ring(self) -> None:
        """Wake all who listen, in every process; nobody depends on it."""
        with suppress(nats.errors.Error):
            await self._connection.client.publish(self._subject)

    async def _subscribe(self) -> Subscription:
        subscription = await self._connection.client.subscribe(self._subject, cb=self._rung)
        await self._connection.client.flush()
        self._poll()
        return subscription

    def _poll(self) -> None:
        self._wake()
        asyncio.get_running_loop().call_later(POLL_SECONDS, self._poll)

    async def _rung(self, _: Msg) -> None:
        self._wake()

    def _wake(self) -> None:
        for listener in tuple(self._listeners):
            listener.set()


async def _end_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _keep_in_last_error(_: Exception) -> None:
    """The client keeps the last error, and `reason` tells it to whom it concerns."""
