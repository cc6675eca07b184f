"""Runs services: inside a command for as long as it needs them, or each in a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from urllib.parse import urlsplit

from structlog.contextvars import bound_contextvars

from services.cli.swarm.roles import AGENTS, EVERYONE, SERVICES
from services.cycle.text import shortened
from services.gateway.serving import run_gateway
from services.projector.running import run_projector
from services.runtime.ending import end
from services.runtime.ground import Ground
from services.runtime.role import run_role
from services.runtime.supervisor import Service, supervise
from services.runtime.tracing import apart
from services.sandbox import syscalls

__all__ = ["EVERYONE", "SERVICES", "Make", "process_of", "runnable", "service_of", "swarm"]

# Makes a service by its name, on a ground.
Make = Callable[[str, Ground], Service]

GRACE_SECONDS = 10.0
LONGEST_LINE = 65536


class ServiceDied(Exception):  # noqa: N818 -- what happened
    """The process of a service ended by itself."""


def service_of(name: str, ground: Ground) -> Service:
    """Return one of the eight services by name, to run in this process; its log lines carry its name."""
    match name:
        case "projector":
            work = partial(run_projector, ground)
        case "gateway":
            work = partial(run_gateway, ground)
        case _:
            work = partial(run_role, AGENTS[name], ground)

    async def run() -> None:
        with bound_contextvars(service=name), apart():
            await work()

    return Service(name, run)


def process_of(name: str, ground: Ground) -> Service:
    """Return one of the eight services, to run as a program of its own."""
    return Service(name, partial(_run_process, name, ground.settings.port))


def runnable(ground: Ground, names: Iterable[str]) -> tuple[str, ...]:
    """Return those services whose NATS user this process has the password of.

    With a NATS of one's own the others run elsewhere, and this process leaves the work to them.
    """
    given = ground.settings.nats_passwords
    everyone = ground.servers is not None or not given or urlsplit(ground.nats_url).username is not None
    return tuple(name for name in names if everyone or name in given)


@asynccontextmanager
async def swarm(
    ground: Ground,
    names: Iterable[str] = EVERYONE,
    make: Make = service_of,
) -> AsyncIterator[asyncio.Task[None]]:
    """Run the named services for the time of the block; the task ends early only when one gave up.

    `make` is `service_of` (all in this process), `process_of` (each in its own), or another way.
    """
    services = [make(name, ground) for name in runnable(ground, names)]
    running = asyncio.create_task(supervise(services or [Service("elsewhere", _wait)]))
    try:
        yield running
    finally:
        await end(running)


async def _wait() -> None:
    """Do nothing until cancelled: the work is done elsewhere."""
    await asyncio.Event().wait()


async def _run_process(name: str, port: int) -> None:
    """Run a service's program until cancelled, or until it was told to stop by somebody else.

    Raises `ServiceDied` with the last it said when it ended otherwise.
    """
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"services.{name}",
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
        env={**os.environ, "APS_PORT": str(port)},
        start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops them in good order
        preexec_fn=_die_together,
    )
    try:
        said = await _last_line(program.stderr)
        code = await program.wait()
    except asyncio.CancelledError:
        await _stopped(program)
        raise
    if code:
        raise ServiceDied(f"{name} ended with exit code {code} ({said}); see: aps logs --service {name}")


async def _last_line(stream: asyncio.StreamReader | None) -> str:
    """Read to the end and return the last line; the log file has them all."""
    last = b""
    while stream is not None and (chunk := await stream.read(LONGEST_LINE)):
        last = (last + chunk).rstrip(b"\n").rpartition(b"\n")[2][-LONGEST_LINE:] + b"\n"
    return shortened(last.decode("utf-8", "replace").strip(), 300)


async def _stopped(program: asyncio.subprocess.Process) -> None:
    """End a program, by force when it takes too long; one that is gone is gone."""
    with suppress(ProcessLookupError):
        program.terminate()
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            await _last_line(program.stderr)
            await program.wait()
    except TimeoutError:
        program.kill()
        await program.wait()


def _die_together() -> None:
    """Let the program end with its supervisor, however that ends."""
    syscalls.set_process(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
