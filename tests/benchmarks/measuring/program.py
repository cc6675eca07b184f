"""A gateway as a program of its own, on servers of its own, for whatever is measured from outside."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.runtime.embedded.addresses import free_port
from services.runtime.ground import Ground, stand
from services.runtime.settings import load
from tests.benchmarks.measuring.line import REPOSITORY
from tests.webhook_deliveries import PRESENT

HOST = "127.0.0.1"
PATIENCE = 60.0


@dataclass(frozen=True)
class Served:
    """The ground a gateway stands on, the port it listens on, and what programs beside it are given."""

    ground: Ground
    port: int
    environ: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


@asynccontextmanager
async def gateway() -> AsyncIterator[Served]:
    """A gateway that takes GitHub's deliveries, and keeps no record of requests, as its peers keep none."""
    with tempfile.TemporaryDirectory(prefix="aps-bench-") as folder:
        await asyncio.to_thread(Path(folder).chmod, 0o755)  # PostgreSQL's user passes through it
        port = free_port()
        given = {
            "PATH": os.environ["PATH"],
            "APS_HOME": str(Path(folder) / "home"),
            "APS_PORT": str(port),
            "APS_LOG_LEVEL": "warning",
            "GITHUB_WEBHOOK_SECRET": PRESENT,
            "PYTHONPATH": str(REPOSITORY),
        }
        async with stand(load(given)) as ground, running(port, ["-m", "services.gateway"], given):
            yield Served(ground, port, given)


@asynccontextmanager
async def running(port: int, arguments: Sequence[str], environ: Mapping[str, str]) -> AsyncIterator[None]:
    """A program that listens on a port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=environ, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        assert process.returncode is None, arguments
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
