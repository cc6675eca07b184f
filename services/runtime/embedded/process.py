"""A server process that outlives the command which started it: launched, adopted, proved, stopped.

1. A server holds an exclusive lock on its lock file for as long as any process of it lives. Pid files
   are read only while that lock is held, so a stale one, a zombie or a reused pid never matters.
2. A server is used only after it proved to be the one of this data folder (`wrong` is None).
3. Every function here is called under the start lock of the data folder; `is_alive` and `has_long_log`,
   which only look, are not.
4. A server that was running is given one chance to answer: who starts or recovers refuses at once, so one
   that says nothing hangs, and would go on to.
5. A server appends to its log, whoever shortens it meanwhile, and knows no file's name or length.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.runtime.data_folder import SERVICE_UID, is_root
from services.runtime.embedded.lock import is_locked, open_lock, try_lock
from services.runtime.embedded.problem import ServerProblem, tail

_READY_SECONDS = 60.0  # recovery after a crash reads the whole log
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.01
_LOG_BYTES = 8 * 1024**2
# Kept until this process ends: Popen warns about a child that outlives it, which is the purpose here.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Launch:
    """A command line and its whole environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


class Silent(Exception):  # noqa: N818 -- what is wrong with the server
    """The server takes connections and gives no word."""


class Server(Protocol):
    """What is particular to one kind of server."""

    @property
    def title(self) -> str:
        """Its name for people."""

    @property
    def lock(self) -> Path:
        """The file locked while it lives."""

    @property
    def log(self) -> Path:
        """The file its output is appended to."""

    @property
    def folder(self) -> Path:
        """A folder it can reach, to run in."""

    @property
    def stop_signal(self) -> signal.Signals:
        """The signal that ends it in good order."""

    def prepare(self) -> Launch:
        """Make its data folder if missing and say how to launch it; may take a second."""

    async def wrong(self) -> str | None:
        """Say why it cannot be used now, or None when it answers and is this data folder's own.

        Raises `Silent`.
        """

    async def stuck(self) -> str | None:
        """Say why it lives and will never work again unless it is started anew, or None."""

    def pid(self) -> int:
        """Return the process to signal; called while the lock is held."""


def is_alive(server: Server) -> bool:
    """Whether any process of the server lives, answering or not."""
    return is_locked(server.lock)


async def start_or_adopt(server: Server) -> bool:
    """Return once the server is proved ready: True when it was started, False when it was running.

    Raises ServerProblem with the tail of the server's log.
    """
    since = server.log.stat().st_size if server.log.exists() else 0
    deadline = time.monotonic() + _READY_SECONDS
    launched = await asyncio.to_thread(_launch_unless_alive, server)
    while (why := await _wrong(server, launched=launched)) is not None:
        if not is_alive(server):
            if launched:
                raise ServerProblem(f"{server.title} ended while starting:\n{tail(server.log, since)}")
            launched = await asyncio.to_thread(_launch_unless_alive, server)
        if time.monotonic() > deadline:
            raise ServerProblem(
                f"{server.title} is not ready after {_READY_SECONDS:.0f} s ({why}):\n"
                f"{tail(server.log, since)}"
            )
        await asyncio.sleep(_POLL_SECONDS)
    return launched


async def _wrong(server: Server, *, launched: bool) -> str | None:
    """Ask what is wrong; silence is, of a server that is no longer starting, for good."""
    try:
        return await server.wrong()
    except Silent as silent:
        if launched or not is_alive(server):
            return str(silent)
        raise ServerProblem(f"{server.title} runs and does not answer: {silent}") from silent


async def stop(server: Server) -> None:
    """Return once no process of the server lives. A server that ignores the signal is killed."""
    for number in (server.stop_signal, signal.SIGKILL):
        deadline = time.monotonic() + _STOP_SECONDS
        signalled = False
        while is_alive(server) and time.monotonic() < deadline:
            signalled = signalled or _signalled(server, number)
            await asyncio.sleep(_POLL_SECONDS)
    _reap()
    if is_alive(server):
        raise ServerProblem(f"{server.title} does not end, not even when killed; see {server.lock}")


def has_long_log(server: Server) -> bool:
    """Whether its log is longer than one file should be."""
    return server.log.exists() and server.log.stat().st_size > _LOG_BYTES


def shorten_log(server: Server) -> None:
    """Keep the end of a long log beside it, in place of what was kept there, and let it begin anew.

    Nothing happens where another process did so just now. A line that the server writes between the copy and
    the cut is lost.
    """
    if has_long_log(server):
        with server.log.open("rb") as log, _former_log(server).open("wb") as former:
            log.seek(-_LOG_BYTES, os.SEEK_END)
            former.write(log.read(_LOG_BYTES))
        os.truncate(server.log, 0)


def run_as_service(argv: tuple[str, ...], env: Mapping[str, str], cwd: Path) -> str | None:
    """Run a command to its end under the servers' uid; return the last it said if it failed."""
    ended = subprocess.run(
        argv,
        env=env,
        cwd=cwd,
        check=False,
        capture_output=True,
        umask=0o077,
        user=_service_id(),
        group=_service_id(),
        extra_groups=[] if is_root() else None,
    )
    said = (ended.stdout + ended.stderr).decode("utf-8", "replace").strip()
    return None if ended.returncode == 0 else "\n".join(f"  {line}" for line in said.splitlines()[-8:])


def give_to_service(path: Path) -> None:
    """Make `path` the servers' own, not recursively."""
    if is_root():
        os.chown(path, SERVICE_UID, SERVICE_UID)


def _signalled(server: Server, number: signal.Signals) -> bool:
    """Send the signal, unless the server has only begun and has not said its id yet, or just ended."""
    try:
        os.kill(server.pid(), number)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    return True


def _launch_unless_alive(server: Server) -> bool:
    """Spawn the server with its lock, or return False when the lock is held."""
    lock = open_lock(server.lock)
    try:
        if not try_lock(lock):
            return False
        _spawn(server, server.prepare(), lock)
    finally:
        os.close(lock)
    return True


def _spawn(server: Server, launch: Launch, lock: int) -> None:
    """Start the process in a session of its own, so that no terminal's interrupt reaches it."""
    _reap()
    if has_long_log(server):
        server.log.replace(_former_log(server))  # which needs no room
    with server.log.open("ab") as log:
        _children.append(
            subprocess.Popen(
                launch.argv,
                env=launch.env,
                cwd=server.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                pass_fds=(lock,),
                user=_service_id(),
                group=_service_id(),
                extra_groups=[] if is_root() else None,
            )
        )


def _former_log(server: Server) -> Path:
    return server.log.with_suffix(".1.log")


def _reap() -> None:
    """Let go of the children that ended."""
    _children[:] = [child for child in _children if child.poll() is None]


def _service_id() -> int | None:
    return SERVICE_UID if is_root() else None
