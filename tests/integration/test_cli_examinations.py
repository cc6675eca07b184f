"""`aps doctor` and `aps setup` as processes of their own, on servers that are well and on others."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from services.cli.care.examinations import sync_at
from tests.cli_process import ended
from tests.log_server import PROGRAM

Aps = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def aps(home: Path) -> Aps:
    """Run a command to its end."""
    return partial(ended, home)


@contextmanager
def served(folder: Path, *more: str) -> Iterator[dict[str, list[str]]]:
    """A NATS of its own settings; gives its addresses."""
    command = [PROGRAM, "-js", "-a", "127.0.0.1", "-p", "-1", "-sd", folder / "store", *more]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([*command, "--ports_file_dir", folder], stderr=log) as process,
    ):
        while not (written := list(folder.glob("*.ports"))) or not written[0].read_text():
            assert process.poll() is None, (folder / "log").read_text()
        yield json.loads(written[0].read_text())
        process.kill()


@pytest.fixture
def open_nats(tmp_path: Path) -> Iterator[str]:
    """A NATS in which everybody may do everything, and which flushes when it likes."""
    with served(tmp_path) as ports:
        yield ports["nats"][0]


def failed(components: dict[str, Any]) -> set[str]:
    return {name for name, one in components.items() if one["state"] == "failed"}


def test_doctor_finds_a_fresh_machine_well(aps: Aps) -> None:
    told = aps("doctor", "--json")
    assert told.returncode == 0, told.stdout
    checks = {one["name"]: one["state"] for one in json.loads(told.stdout)["checks"]}
    assert checks == dict.fromkeys(
        (
            *("python", "git", "settings", "sandbox", "disk", "servers", "versions"),
            *("encryption", "sync", "streams", "keys", "permissions", "projections", "heads"),
            "services",
        ),
        "ok",
    )


def test_doctor_names_what_is_wrong_with_a_nats_of_ones_own(aps: Aps, open_nats: str, database: str) -> None:
    told = aps("doctor", "--json", NATS_URL=open_nats, DATABASE_URL=database)
    assert told.returncode == 1
    checks = {one["name"]: one for one in json.loads(told.stdout)["checks"]}
    assert failed(checks) == {"streams", "keys", "permissions", "projections"}
    assert "aps setup" in checks["streams"]["cure"]
    assert "nats/users.conf" in checks["permissions"]["cure"]
    assert "sync_interval: always" in checks["sync"]["cure"]


def test_setup_declares_the_streams_of_a_nats_of_ones_own_and_puts_right_what_differs(
    aps: Aps, open_nats: str, database: str
) -> None:
    given = {"NATS_URL": open_nats, "DATABASE_URL": database}
    assert "stream APS was not there" in aps("setup", "--json", **given).stdout
    assert json.loads(aps("setup", "--json", **given).stdout)["changed"] == []
    asyncio.run(loosen(open_nats))
    refused = aps("status", **given)
    assert (refused.returncode, "aps setup" in refused.stderr) == (6, True)
    (changed,) = json.loads(aps("setup", "--json", **given).stdout)["changed"]
    assert "consumer qa: max_ack_pending was 7" in changed
    told = aps("doctor", "--json", **given)
    assert failed({one["name"]: one for one in json.loads(told.stdout)["checks"]}) == {"permissions"}
    # the trial of the permissions stored nothing
    health = json.loads(aps("status", "--json", **given).stdout)["components"]
    assert {one["name"]: one["figures"] for one in health}["streams"] == {"events": 0}


@pytest.mark.parametrize(("always", "state"), [(True, "ok"), (False, "failed")])
async def test_doctor_asks_the_server_itself_whether_it_flushes(
    tmp_path: Path, always: bool, state: str
) -> None:
    (tmp_path / "conf").write_text(f"jetstream {{ sync_interval: {'always' if always else '2m'} }}")
    with served(tmp_path, "-m", "-1", "-c", str(tmp_path / "conf")) as ports:
        connection = Client()
        await connection.connect(ports["nats"][0])
        try:
            found = await sync_at(connection, ports["monitoring"][0])
        finally:
            await connection.close()
    assert found.state == state


async def loosen(url: str) -> None:
    """Alter a consumer as no declaration has it."""
    client = Client()
    await client.connect(url)
    try:
        found = json.loads((await client.request("$JS.API.CONSUMER.INFO.APS.qa", timeout=5)).data)["config"]
        body = {"stream_name": "APS", "config": {**found, "max_ack_pending": 7}, "action": "update"}
        await client.request("$JS.API.CONSUMER.CREATE.APS.qa", json.dumps(body).encode(), timeout=5)
    finally:
        await client.close()


def test_doctor_names_a_missing_program_and_its_cure(aps: Aps, tmp_path: Path) -> None:
    told = aps("doctor", "--json", PATH=str(tmp_path))
    assert told.returncode == 1
    checks = {one["name"]: one for one in json.loads(told.stdout)["checks"]}
    assert checks["git"]["state"] == "failed"
    assert "install git" in checks["git"]["cure"]
    assert "git" in told.stderr


def test_doctor_names_wrong_settings_all_at_once(aps: Aps) -> None:
    told = aps("doctor", "--json", APS_PORT="many", APS_AUTONOMI="low")
    assert told.returncode == 2
    (found,) = (one for one in json.loads(told.stdout)["checks"] if one["name"] == "settings")
    assert found["state"] == "failed"
    assert "APS_PORT" in found["detail"]
    assert "did you mean APS_AUTONOMY" in found["detail"]
