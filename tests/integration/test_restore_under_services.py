"""A stream is never removed under a service that runs on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.jetstream.stream_reader import StreamReader
from events.subjects import STREAM
from services.cli.session import Exit
from services.runtime.announcing import announced
from services.runtime.ground import Ground
from tests.cli_place import Ended
from tests.conftest import run
from tests.told_place import Told, told_place

pytestmark = pytest.mark.slow
ANEW = ("restore", "--journal", "--anew", "--yes")


@pytest.fixture
def told(home: Path) -> Iterator[Told]:
    with told_place(home) as made:
        yield made


async def made(ground: Ground) -> str:
    """When the stream was made."""
    async with ground.log("admin") as (connection, _):
        return await StreamReader(connection, STREAM).made()


async def beside_qa(told: Told) -> Ended:
    """Restore while a copy of QA answers."""
    async with (
        told.ground.log("qa") as (connection, _),
        announced(connection, "qa", "a test", "qa@here/1"),
    ):
        return await asyncio.to_thread(told.aps, *ANEW)


def test_the_log_is_not_written_anew_while_a_service_answers_and_is_once_none_does(told: Told) -> None:
    before = run(made(told.ground))
    refused = run(beside_qa(told))
    assert (refused.code, "qa (qa@here/1)" in refused.err) == (Exit.CONFLICT, True), refused
    assert "Stop every service first" in refused.err
    assert run(made(told.ground)) == before
    assert told.aps(*ANEW).code == Exit.OK
    assert run(made(told.ground)) != before
