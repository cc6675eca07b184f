"""A real NATS server under the shipped configuration, for tests that wipe, kill or alter the log."""

import json
import os
import subprocess
import sysconfig
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nats.aio.client import Client

from events.jetstream.streams import Drift, declare
from events.rights import USERS, inbox

REPOSITORY = Path(__file__).parents[1]
NATS = REPOSITORY / "nats"
PASSWORDS = {f"APS_NATS_{user.upper()}_PASSWORD": f"p-{user}" for user in USERS}
PROGRAM = Path(sysconfig.get_path("scripts")) / "nats-server"


class LogServer:
    """One server on a free port in a folder of its own."""

    def __init__(self, folder: Path, *flags: str) -> None:
        """`flags` are the program's own, besides what the configuration says."""
        self.folder = folder
        self._flags = flags
        self.port = -1
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, on the same port as before, and wait until it listens."""
        ports = Path(tempfile.mkdtemp(dir=self.folder))
        command = [PROGRAM, "-c", NATS / "server.conf", "-a", "127.0.0.1", "-p", str(self.port)]
        command += ["-m", "-1", "-sd", self.folder / "store", "--ports_file_dir", ports, *self._flags]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, env={**os.environ, **PASSWORDS}, stderr=log, stdout=log)
        while not (written := list(ports.glob("*.ports"))) or not written[0].read_text():
            assert self._process.poll() is None, (self.folder / "log").read_text()
        self.port = int(json.loads(written[0].read_text())["nats"][0].rpartition(":")[2])

    def kill(self) -> None:
        """End it without a chance to write anything more."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def connection(self, user: str, errors: list[str] | None = None) -> AsyncIterator[Client]:
        """A connection as the services make it; what the server complains of goes to `errors`."""

        async def complain(problem: Exception) -> None:
            if errors is not None:
                errors.append(str(problem))

        client = Client()
        await client.connect(
            self.url,
            user=user,
            password=f"p-{user}",
            inbox_prefix=inbox(user),
            error_cb=complain,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
        )
        try:
            yield client
        finally:
            await client.close()

    async def wipe(self) -> list[Drift]:
        """Declare all streams anew, empty."""
        async with self.connection("admin") as admin:
            for stream in ("APS", "ARTEFACTS", "DEAD_LETTERS", "KEYS", "HEADS", "TELEMETRY"):
                await admin.request(f"$JS.API.STREAM.DELETE.{stream}", timeout=10)
            return await declare(admin, NATS)


def started(folder: Path) -> LogServer:
    """A server that is ready; `wipe` gives it its streams."""
    server = LogServer(folder)
    server.start()
    return server
