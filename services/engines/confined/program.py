"""One run of a program that reaches one API and nothing else."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.engines.confined import relay
from services.engines.confined.api_proxy import Api, ApiProxy, Trouble
from services.sandbox.port import Command, Hear, Limits, Result, Sandbox

INTERPRETER = os.path.realpath(sys.executable)
RELAY = str(Path(relay.__file__).resolve())
# The program starts at once: it takes far longer to its first call than the relay to its port.
BESIDE = """python=$1 relay=$2 port=$3 socket=$4; shift 4
"$python" -I -S "$relay" "$port" "$socket" >/dev/null & exec "$@" """


@dataclass(frozen=True)
class Program:
    """What to run. The API's address is put into the environment variable `api_variable`."""

    argv: tuple[str, ...]
    cwd: Path
    api_variable: str
    env: Mapping[str, str]
    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    stdin: bytes = b""


@dataclass(frozen=True)
class Ran:
    """How it ended, what its last call met, and how many calls it made."""

    result: Result
    trouble: Trouble | None
    calls: int


async def run(sandbox: Sandbox, program: Program, api: Api, limits: Limits, hear: Hear) -> Ran:
    """Run `program` to its end or limit. Raises what the sandbox raises."""
    proxy = ApiProxy(api)
    folder = Path(tempfile.mkdtemp(prefix="aps-engine-"))  # short, for a socket's name may not be long
    try:
        path = folder / "api"
        async with proxy.listening(path):
            result = await sandbox.run(_confined(program, path), limits, hear)
    finally:
        shutil.rmtree(folder)
    return Ran(result, proxy.trouble, proxy.forwarded)


def _confined(program: Program, path: Path) -> Command:
    port = str(_free_port())
    beside = ("sh", "-c", BESIDE, "sh", INTERPRETER, RELAY, port, str(path))
    return Command(
        argv=(*beside, *program.argv),
        cwd=program.cwd,
        writable=program.writable,
        readable=(*program.readable, path, Path(RELAY), Path(sys.base_prefix)),
        env={**program.env, program.api_variable: f"http://127.0.0.1:{port}"},
        stdin=program.stdin,
    )


def _free_port() -> int:
    """A port nobody listens on; inside a sandbox every port is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
