"""A process that has the libraries loaded and becomes a command where one is wanted, sooner than a fresh one.

Rules
1. What is ours is loaded anew by each command, in its order; only what others wrote is there already.
2. Each command is a process of its own, with the environment, folder and streams it was given, and ends as
   the interpreter ends.
3. It ends with the process that asked for it, whatever becomes of that: their sockets are a pair.
"""

import atexit
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

LIBRARIES = (
    "aiohttp",
    "asyncpg",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "eventsourcing.domain",
    "nats.aio.client",
    "nats.js",
    "nats.micro",
    "orjson",
    "pydantic_settings",
    "rich.console",
    "rich.progress",
    "rich.table",
    "structlog",
    "typer",
    "yaml",
)
MOST = 1 << 20  # bytes of one request


@dataclass(frozen=True)
class Wanted:
    """A module to run as `python -m` does, and with what."""

    module: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: str


class Preloaded:
    """The process, begun with the first command."""

    def __init__(self, environment: dict[str, str]) -> None:
        """`environment` is what its interpreter starts with."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.preloaded", str(theirs.fileno())],
                env=environment,
                cwd=Path(__file__).parents[1],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        atexit.register(self.end)

    def end(self) -> None:
        """Let it end; commands that run go on."""
        self._control.close()
        self._process.wait()

    def run(self, wanted: Wanted, patience: float) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. Raises `TimeoutExpired` after `patience` seconds; it is killed then."""
        reply, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        with theirs, reply, os.fdopen(out, "rb") as output, os.fdopen(err, "rb") as errors:
            given = [theirs.fileno(), out_end, err_end]
            socket.send_fds(self._control, [json.dumps(asdict(wanted)).encode()], given)
            os.close(out_end)
            os.close(err_end)
            theirs.close()
            command = int(reply.recv(MOST))
            said = _read([output.fileno(), errors.fileno()], patience)
            if said is None:
                os.kill(command, signal.SIGKILL)
                raise subprocess.TimeoutExpired([wanted.module, *wanted.arguments], patience)
            code = int(reply.recv(MOST))
        texts = (one.decode() for one in said)
        return subprocess.CompletedProcess([wanted.module, *wanted.arguments], code, *texts)


def _read(files: list[int], patience: float) -> list[bytes] | None:
    """Return what comes until all are closed; None where that takes too long."""
    deadline = time.monotonic() + patience
    said = {file: bytearray() for file in files}
    with selectors.DefaultSelector() as ready:
        for file in files:
            ready.register(file, selectors.EVENT_READ)
        while ready.get_map():
            found = ready.select(deadline - time.monotonic())
            if not found:
                return None
            for key, _ in found:
                if chunk := os.read(key.fd, MOST):
                    said[key.fd] += chunk
                else:
                    ready.unregister(key.fd)
    return [bytes(said[file]) for file in files]


def serve(control: socket.socket) -> Wanted | None:
    """Wait for what is wanted; return it in the process that is to become it, None at the end of all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for who asked
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits for a command is not waited for
    while True:
        asked, files, _, _ = socket.recv_fds(control, MOST, 3)
        if not asked:
            return None
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if (command := os.fork()) == 0:
                return _become(Wanted(**json.loads(asked)), files)
            _tell_of(command, files)
        for file in files:
            os.close(file)


def _become(wanted: Wanted, files: list[int]) -> Wanted:
    reply, out, err = files
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for file in (reply, out, err):
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chosen = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}  # by the interpreter
    os.environ.clear()
    os.environ.update({**wanted.environment, **chosen})
    os.chdir(wanted.folder)
    sys.path[0] = wanted.folder  # as `python -m` has it
    return wanted


def _tell_of(command: int, files: list[int]) -> None:
    """Say which process it is and how it ended, and end: this one is there for nothing else."""
    for file in files[1:]:
        os.close(file)
    with socket.socket(fileno=files[0]) as reply:
        reply.send(str(command).encode())
        _, status = os.waitpid(command, 0)
        reply.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    if (wanted := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        sys.argv[1:] = wanted.arguments
        runpy.run_module(wanted.module, run_name="__main__", alter_sys=True)
