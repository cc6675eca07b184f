"""A projector as a process of its own, for tests that kill it."""

import asyncio
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from subprocess import DEVNULL, Popen

import asyncpg

from events.jetstream.log import JetStreamEventStore
from services.projector.letters import Letters
from services.projector.service import run
from tests.log_server import LogServer

ROOT = Path(__file__).parents[1]


class Projecting:
    """The process. Its connections to the database carry its name."""

    def __init__(self, name: str, port: int, database: str) -> None:
        self.name = name
        command = [sys.executable, "-m", "tests.projecting", name, str(port), database]
        self._process = Popen(command, cwd=ROOT, stdout=DEVNULL, stderr=DEVNULL, env=dict(os.environ))

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it without a chance to do anything more."""
        self._process.kill()
        self._process.wait()


async def main(name: str, port: int, database: str) -> None:
    server = LogServer(Path())
    server.port = port
    settings = {"application_name": name}
    async with (
        server.connection("projector") as connection,
        asyncpg.create_pool(database, min_size=1, max_size=4, server_settings=settings) as pool,
    ):
        store = JetStreamEventStore(connection, lambda: datetime.now(UTC))
        await run(store, pool, tell=Letters(connection).tell)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
