"""The eight services as processes of their own on one data folder, killed -9 at random with its servers."""

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

from services.cli.swarm.roles import SERVICES
from services.runtime.data_folder import shared_place
from services.runtime.ending import end
from tests.acceptance.command import ROOT, environment, program

BETWEEN_KILLS = (0.5, 1.5)  # seconds: about the time a service takes to be at work again
LOOK_AGAIN_SECONDS = 0.1
STOP_SECONDS = 60.0

Moment = Callable[[], Awaitable[None]]


class Server(NamedTuple):
    """Where its pid file lies, and what its process is called."""

    folder: str
    called: str


SERVERS = {"nats-server": Server("nats", "nats-server"), "postmaster": Server("postgres", "postgres")}


@dataclass(frozen=True)
class GaveUp:
    """A service that ended by itself, and the last it said."""

    name: str
    code: int
    said: str


class Swarm:
    """Keeps the services running as whoever watches over processes does: what ended is started again."""

    def __init__(self, home: Path, **settings: str) -> None:
        """Start all; `settings` are the services' environment besides the data folder."""
        self.kills: Counter[str] = Counter()
        self.gave_up: list[GaveUp] = []
        self.codes: dict[str, int] = {}  # of those told to stop
        self._home = home
        self._settings = settings
        self._running = {name: self._started(name) for name in SERVICES}

    async def keep(self) -> None:
        """Start again whatever ended by itself, until cancelled."""
        while True:
            for name, process in self._running.items():
                if (code := process.poll()) is not None:
                    said = self._said(name).read_text().strip().rpartition("\n")[2]
                    self.gave_up.append(GaveUp(name, code, said))
                    self._running[name] = self._started(name)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def kill_at_random(
        self, seconds: float, chance: Random, moment: Moment, hit: Callable[[], bool]
    ) -> None:
        """Kill services and servers in rounds of random order, for some time and each at least once.

        Each kill comes at the next `moment`; they go on until one `hit` what was under way.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        left: list[str] = []
        every = [*SERVICES, *SERVERS]
        while clock() < until or len(self.kills) < len(every) or not hit():
            left = left or chance.sample(every, len(every))
            await asyncio.sleep(chance.uniform(*BETWEEN_KILLS))
            await moment()
            self._kill(left.pop())

    def _kill(self, name: str) -> None:
        if name in SERVERS:
            if (pid := _pid(self._home, name)) is not None:
                os.kill(pid, signal.SIGKILL)
                self.kills[name] += 1
            return
        self._running[name].kill()
        self._running[name].wait()
        self.kills[name] += 1
        self._running[name] = self._started(name)

    def stop(self) -> None:
        """Stop all as a person does; who does not heed it is killed."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        self.codes = {name: _end_of(process) for name, process in self._running.items()}

    def _started(self, name: str) -> subprocess.Popen[bytes]:
        with self._said(name).open("wb") as said:
            return subprocess.Popen(
                program("run", name),
                cwd=ROOT,
                env=environment(self._home, APS_PORT="0", **self._settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )

    def _said(self, name: str) -> Path:
        return self._home / f"{name}.said"


@asynccontextmanager
async def swarm_on(home: Path, **settings: str) -> AsyncIterator[Swarm]:
    """Keep the services running for the block, and stop them at its end."""
    swarm = Swarm(home, **settings)
    keeping = asyncio.create_task(swarm.keep())
    try:
        yield swarm
    finally:
        try:
            await end(keeping)
        finally:
            swarm.stop()


@asynccontextmanager
async def killing(
    swarm: Swarm, seconds: float, chance: Random, moment: Moment, hit: Callable[[], bool]
) -> AsyncIterator[asyncio.Task[None]]:
    """Kill at random beside the block, which is left when both are done."""
    task = asyncio.create_task(swarm.kill_at_random(seconds, chance, moment, hit))
    try:
        yield task
        await task
    finally:
        await end(task)


def _end_of(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _pid(home: Path, name: str) -> int | None:
    """Return the process of a server, None while it is not back: a dead one's number may be another's by now.

    Only one folder is looked into: those below come and go while the server lives.
    """
    file = shared_place(home) / SERVERS[name].folder / f"{name}.pid"
    try:
        pid = int(file.read_text().split()[0])
        called = Path("/proc", str(pid), "comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None
    return pid if called == SERVERS[name].called else None
