"""Starts a sandbox's outer process, holds it to the limits, and leaves nothing of it alive.

Rules:
1. The first process inside is known by a pidfd: once that process is gone, the kernel has ended every
   process of its namespace, daemons and those ignoring signals included.
2. The end is always the same, whatever ended the run: kill the first process, kill the outer process,
   wait for both. Cancelling does not interrupt it.
3. Reading output never waits for the command, and a flood is read slowly rather than kept.
"""

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from services.sandbox import tree
from services.sandbox.memory_file import sealed
from services.sandbox.output import Kept
from services.sandbox.port import Ended, Hear, Limits, Result

CHUNK = 65_536
FLOOD_PAUSE = 0.002  # seconds between chunks once output is being left out: about 30 MB/s
MEMORY_EVERY = 0.1  # seconds; RLIMIT_AS bounds what one process can take in between
STARTING = 10.0  # seconds the outer process has to name the first one
LAST_OUTPUT = 1.0  # seconds to empty the pipes after everything inside is gone
CHILD = re.compile(rb'"child-pid": *(\d+)')


@dataclass(frozen=True)
class Start:
    """An outer process to start: `status` is a pipe on which it names its first child.

    `inherited` are file descriptors the process gets; they are closed here once it runs. Without a
    status pipe the outer process is itself the first one.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    inherited: tuple[int, ...] = ()
    status: tuple[int, int] | None = None
    cwd: str = "/"
    stdin: bytes = b""


async def supervise(start: Start, limits: Limits, hear: Hear | None = None) -> Result:
    """Run `start` to its end or its limit. Whatever it started is gone when this returns or raises."""
    begun = time.monotonic()
    process = _spawn(start)
    run = _Run(process, start.status[0] if start.status else None, limits, hear)
    try:
        ended = await run.until_ended()
    finally:
        await asyncio.shield(asyncio.ensure_future(run.finish()))
    run.raise_what_broke()
    return Result(
        ended=ended,
        exit_code=process.returncode,
        stdout=run.out.contents(),
        stderr=run.err.contents(),
        seconds=time.monotonic() - begun,
        status=bytes(run.told),
    )


def _spawn(start: Start) -> "subprocess.Popen[bytes]":
    """Start in one step that cancellation cannot split."""
    stdin = sealed(start.stdin) if start.stdin else os.open(os.devnull, os.O_RDONLY)
    try:
        return subprocess.Popen(
            start.argv,
            env=dict(start.env),
            cwd=start.cwd,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=start.inherited,
            start_new_session=True,
        )
    except OSError:
        if start.status:
            os.close(start.status[0])
        raise
    finally:
        for descriptor in (stdin, *start.inherited):
            os.close(descriptor)


class _Run:
    def __init__(
        self, process: "subprocess.Popen[bytes]", status: int | None, limits: Limits, hear: Hear | None
    ) -> None:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101 -- both piped
        self.out = Kept(limits.output_bytes)
        self.err = Kept(limits.output_bytes)
        self._process = process
        self._limits = limits
        self.told = bytearray()
        self._status = status  # open to the end: the writer is not done after the number
        self._outer = os.pidfd_open(process.pid)
        self._first = asyncio.ensure_future(_first_process(status, process.pid, self.told))
        self._listening = _Listening(hear)
        self._readers = (
            asyncio.ensure_future(_drain(process.stdout.fileno(), self.out, self._listening)),
            asyncio.ensure_future(_drain(process.stderr.fileno(), self.err, _Listening(None))),
        )

    async def until_ended(self) -> Ended:
        gone = asyncio.ensure_future(_readable(self._outer))
        deaf = asyncio.ensure_future(self._listening.broke())
        hog = asyncio.ensure_future(_outgrown(self._process.pid, self._limits.memory_bytes))
        try:
            done, _ = await asyncio.wait(
                {gone, hog, deaf}, timeout=self._limits.wall_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            await _cancel(gone, hog, deaf)
        if done & {gone, deaf}:  # what broke the listener is raised once everything has ended
            return Ended.EXITED
        if hog in done:
            hog.result()  # raises what kept it from looking
            return Ended.OUT_OF_MEMORY
        return Ended.TIMED_OUT

    async def finish(self) -> None:
        await asyncio.wait((self._first,), timeout=STARTING)
        if self._first.done() and (first := self._first.result()) is not None:
            _kill(first)
            await _readable(first)
            os.close(first)
        _kill(self._outer)  # also what never got as far as a first process; that one dies with its parent
        await _readable(self._outer)
        await asyncio.wait((self._first,))
        self._process.wait()
        os.close(self._outer)
        if self._status is not None:
            _read_rest(self._status, self.told)
            os.close(self._status)
        await asyncio.wait(self._readers, timeout=LAST_OUTPUT)
        await _cancel(*self._readers)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def raise_what_broke(self) -> None:
        if self._listening.problem is not None:
            raise self._listening.problem


class _Listening:
    """Hands on what is heard until the listener breaks."""

    def __init__(self, hear: Hear | None) -> None:
        self.problem: Exception | None = None
        self._hear = hear
        self._broke = asyncio.Event()

    def add(self, chunk: bytes) -> None:
        if self._hear is None or self.problem is not None:
            return
        try:
            self._hear(chunk)
        except Exception as problem:  # noqa: BLE001 -- raised to the caller when the run has ended
            self.problem = problem
            self._broke.set()

    async def broke(self) -> None:
        await self._broke.wait()


async def _first_process(status: int | None, outer: int, told: bytearray) -> int | None:
    """Return a pidfd of the first process inside, None when there is none (any more)."""
    if status is None:
        return None
    while (found := CHILD.search(told)) is None:
        await _readable(status)
        chunk = os.read(status, CHUNK)
        if not chunk:
            return None
        told += chunk
    pid = int(found[1])
    with suppress(ProcessLookupError):
        first = os.pidfd_open(pid)
        if tree.parent(pid) == outer:  # else the number already belongs to a stranger
            return first
        os.close(first)
    return None


def _read_rest(status: int, told: bytearray) -> None:
    """Read what is there; nobody writes any more."""
    os.set_blocking(status, False)
    with suppress(BlockingIOError):
        while chunk := os.read(status, CHUNK):
            told += chunk


def _kill(pidfd: int) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def _drain(pipe: int, kept: Kept, listening: _Listening) -> None:
    while True:
        await _readable(pipe)
        chunk = os.read(pipe, CHUNK)
        if not chunk:
            return
        listening.add(chunk)
        kept.add(chunk)
        if kept.overflowing:
            await asyncio.sleep(FLOOD_PAUSE)


async def _outgrown(root: int, limit: int) -> None:
    while not tree.exceeds(root, limit):  # noqa: ASYNC110 -- the kernel tells no one; it has to be looked at
        await asyncio.sleep(MEMORY_EVERY)


async def _cancel(*tasks: "asyncio.Future[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
