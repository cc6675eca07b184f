"""Declared streams and consumers are created once, and what stands otherwise is reported, field by field."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from nats.aio.client import Client

from events.jetstream.streams import Drift, compare, declare
from events.store import Unavailable
from tests.log_server import NATS, LogServer


@pytest.fixture
async def admin(running: LogServer) -> AsyncIterator[Client]:
    assert await running.wipe() == []
    async with running.connection("admin") as connection:
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(copytree(NATS, tmp_path / "nats"))


def change(file: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    declared = json.loads(file.read_text())
    edit(declared)
    file.write_text(json.dumps(declared))


async def config(admin: Client, what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await admin.request(f"$JS.API.{what}", timeout=5)).data)["config"]
    return found


async def test_what_is_declared_stands_without_drift(admin: Client) -> None:
    assert await compare(admin, NATS) == []
    assert await declare(admin, NATS) == []


async def test_the_log_cannot_lose_an_event_by_any_of_its_settings(admin: Client) -> None:
    log = await config(admin, "STREAM.INFO.APS")
    assert (log["storage"], log["discard"], log["retention"]) == ("file", "new", "limits")
    assert (log["deny_delete"], log["deny_purge"]) == (True, True)
    assert (log["max_msgs"], log["max_bytes"], log["max_age"], log["max_msgs_per_subject"]) == (-1, -1, 0, -1)


async def test_a_missing_consumer_is_created_and_nothing_else_touched(admin: Client, folder: Path) -> None:
    (folder / "consumers" / "qa.json").rename(folder / "consumers" / "auditor.json")
    change(folder / "consumers" / "auditor.json", lambda d: d["config"].update(durable_name="auditor"))
    change(folder / "consumers" / "auditor.json", lambda d: d["config"].update(name="auditor"))
    assert await compare(admin, folder) == [Drift("consumer auditor", "existence", "declared", None)]
    assert await declare(admin, folder) == []
    assert await compare(admin, NATS) == []


async def test_a_setting_that_stands_otherwise_is_named(admin: Client, folder: Path) -> None:
    change(folder / "streams" / "APS.json", lambda d: d.update(description="another"))
    change(folder / "consumers" / "pm.json", lambda d: d["config"].update(ack_wait=5_000_000_000))
    drifts = await declare(admin, folder)
    log = (await config(admin, "STREAM.INFO.APS"))["description"]
    assert drifts == [
        Drift("stream APS", "description", "another", log),
        Drift("consumer pm", "ack_wait", 5_000_000_000, 10_000_000_000),
    ]


async def test_drift_is_put_right_only_when_asked(admin: Client, folder: Path) -> None:
    change(folder / "streams" / "APS.json", lambda d: d.update(description="another"))
    change(folder / "consumers" / "pm.json", lambda d: d["config"].update(ack_wait=5_000_000_000))
    assert await declare(admin, folder, update=True) == []
    assert await compare(admin, folder) == []
    assert (await config(admin, "STREAM.INFO.APS"))["description"] == "another"
    assert (await config(admin, "CONSUMER.INFO.APS.pm"))["ack_wait"] == 5_000_000_000


async def test_what_the_server_would_change_silently_is_refused(admin: Client, folder: Path) -> None:
    """`deny_purge` does not go together with scheduled messages; without `pedantic` it would be dropped."""
    change(folder / "streams" / "APS.json", lambda d: d.update(allow_msg_schedules=True))
    await admin.request("$JS.API.STREAM.DELETE.APS", timeout=5)
    with pytest.raises(Unavailable, match=r"STREAM\.CREATE\.APS"):
        await declare(admin, folder)


async def test_missing_streams_are_drift_to_a_service_that_only_looks(
    running: LogServer, admin: Client
) -> None:
    await admin.request("$JS.API.STREAM.DELETE.DEAD_LETTERS", timeout=5)
    async with running.connection("qa") as service:
        assert await compare(service, NATS) == [Drift("stream DEAD_LETTERS", "existence", "declared", None)]


async def test_more_replicas_than_servers_are_refused(admin: Client) -> None:
    await admin.request("$JS.API.STREAM.DELETE.DEAD_LETTERS", timeout=5)
    with pytest.raises(Unavailable, match="DEAD_LETTERS"):
        await declare(admin, NATS, replicas=3)


async def test_no_declarations_are_not_taken_for_nothing_to_declare(admin: Client, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await declare(admin, tmp_path)
