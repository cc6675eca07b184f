"""What docs/eventsourcing.md shows is what happens."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.jetstream.log import JetStreamEventStore
from events.memory import InMemoryArtefacts
from services.runtime.log import Log
from tests import cycle_example as example
from tests.log_server import LogServer, started

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = Path(__file__).parents[2] / "docs" / "eventsourcing.md"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LogServer]:
    log_server = started(tmp_path)
    await log_server.wipe()
    yield log_server
    log_server.kill()


async def record_a_cycle(server: LogServer) -> None:
    recorder = example.Recorder()
    async with server.connection("admin") as connection:
        store = JetStreamEventStore(connection, recorder.clock)
        recorder.book = Log(store, InMemoryArtefacts(), recorder.clock)
        await example.whole(recorder)


async def test_the_page_can_be_followed(server: LogServer, tmp_path: Path) -> None:
    own, log = BLOCK.findall(PAGE.read_text("utf-8"))
    await record_a_cycle(server)
    assert await asyncio.to_thread(follow, own, tmp_path, server, "admin") == []
    told = [line.split()[0] for line in await asyncio.to_thread(follow, log, tmp_path, server, "inspector")]
    assert told[0] == f"target/{example.T}"
    assert {f"improvement/{id}" for id in example.ALL} <= set(told)


def follow(block: str, folder: Path, server: LogServer, user: str) -> list[str]:
    script = folder / f"{user}.py"
    script.write_text(block, "utf-8")
    url = server.url.replace("nats://", f"nats://{user}:p-{user}@")
    environment = {"PATH": os.defpath, "NATS_URL": url, "PYTHONPATH": str(PAGE.parents[1])}
    run = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()
