"""Runs services: inside a command for as long as it needs them, or each in a process of its own."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from urllib.parse import urlsplit

from services.cli.roles import AGENTS, EVERYONE, SERVICES
from services.gateway.serving import run_gateway
from services.projector.running import run_projector
from services.runtime.ground import Ground
from services.runtime.role import run_role
from services.runtime.supervisor import Service, supervise
from services.sandbox import syscalls

__all__ = ["EVERYONE", "SERVICES", "process_of", "runnable", "service_of", "swarm"]

GRACE_SECONDS = 10.0


class ServiceDied(Exception):  # noqa: N818 -- what happened
    """The process of a service ended by itself."""


def service_of(name: str, ground: Ground) -> Service:
    """Return one of the eight services by name, to run in this process."""
    match name:
        case "projector":
            return Service(name, partial(run_projector, ground))
        case "gateway":
            return Service(name, partial(run_gateway, ground))
        case _:
            return Service(name, partial(run_role, AGENTS[name], ground))


def process_of(name: str) -> Service:
    """Return one of the eight services, to run as a program of its own."""
    return Service(name, partial(_run_process, name))


def runnable(ground: Ground, names: Iterable[str]) -> tuple[str, ...]:
    """Return those services whose NATS user this process has the password of.

    With a NATS of one's own the others run elsewhere, and this process leaves the work to them.
    """
    given = ground.settings.nats_passwords
    everyone = ground.servers is not None or not given or urlsplit(ground.nats_url).username is not None
    return tuple(name for name in names if everyone or name in given)


@asynccontextmanager
async def swarm(ground: Ground, names: Iterable[str] = EVERYONE) -> AsyncIterator[asyncio.Task[None]]:
    """Run the named services for the time of the block; the task ends early only when one gave up."""
    services = [service_of(name, ground) for name in runnable(ground, names)]
    running = asyncio.create_task(supervise(services or [Service("elsewhere", _wait)]))
    try:
        yield running
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _wait() -> None:
    """Do nothing until cancelled: the work is done elsewhere."""
    await asyncio.Event().wait()


async def _run_process(name: str) -> None:
    """Run a service's program until cancelled; raises `ServiceDied` when it ends by itself."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{name}", stdin=asyncio.subprocess.DEVNULL, preexec_fn=_die_together
    )
    try:
        code = await program.wait()
    except asyncio.CancelledError:
        program.terminate()
        try:
            await asyncio.wait_for(program.wait(), GRACE_SECONDS)
        except TimeoutError:
            program.kill()
            await program.wait()
        raise
    raise ServiceDied(f"{name} ended with exit code {code}; see: aps logs --service {name}")


def _die_together() -> None:
    """Let the program end with its supervisor, however that ends."""
    syscalls.set_process(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
