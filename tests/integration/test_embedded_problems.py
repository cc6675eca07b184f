"""What the embedded servers refuse, and what a person is told."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from services.runtime.data_folder import SERVICE_UID, DataFolder, is_root
from services.runtime.embedded.lock import is_locked
from services.runtime.embedded.problem import ServerProblem
from services.runtime.embedded.servers import EmbeddedServers
from tests.integration.test_embedded import pids

SOON = 30.0  # one that starts is waited for twice as long


def owners(servers: Path) -> set[int]:
    pid_files = (servers / "nats/nats-server.pid", servers / "postgres/postmaster.pid")
    return {Path(f"/proc/{file.read_text().split()[0]}").stat().st_uid for file in pid_files}


async def test_the_servers_are_not_root_s_and_their_secrets_are_closed(
    home: Path, nats_configuration: Path
) -> None:
    async with EmbeddedServers(home, configuration=nats_configuration):
        uids = owners(home / "servers")
    assert uids == {SERVICE_UID if is_root() else os.geteuid()}
    files = list((home / "credentials").iterdir())
    assert len(files) == 12
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    for closed in ("credentials", "logs", "servers/nats", "servers/postgres"):
        assert (home / closed).stat().st_mode & 0o077 == 0


async def test_a_first_start_that_was_killed_halfway_is_done_again(
    home: Path, nats_configuration: Path
) -> None:
    half_made = home / "servers" / "postgres-new-killed" / "data"
    DataFolder(home).create()
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18")
    async with EmbeddedServers(home, configuration=nats_configuration) as servers:
        assert servers.notes == []
    assert not half_made.exists()


async def test_a_server_that_cannot_start_is_told_with_the_end_of_its_log(
    home: Path, tmp_path: Path, nats_configuration: Path
) -> None:
    configuration = tmp_path / "broken"
    shutil.copytree(nats_configuration, configuration, ignore=shutil.ignore_patterns("*.json"))
    (configuration / "server.conf").write_text("max_payload: [\n")
    with pytest.raises(ServerProblem, match=r"NATS ended while starting:\n.*Parse error"):
        await EmbeddedServers(home, configuration=configuration).join()
    assert not is_locked(home / "servers" / "nats.lock")


async def test_a_lost_password_is_told_at_once(home: Path, nats_configuration: Path) -> None:
    async with EmbeddedServers(home, configuration=nats_configuration):
        pass
    (home / "credentials" / "postgres").unlink()
    with pytest.raises(ServerProblem, match="does not open PostgreSQL's data"):
        await EmbeddedServers(home, configuration=nats_configuration).join()


async def test_the_name_and_the_flushing_of_nats_are_proved_before_use(
    home: Path, tmp_path: Path, nats_configuration: Path
) -> None:
    careless = tmp_path / "careless"
    shutil.copytree(nats_configuration, careless, ignore=shutil.ignore_patterns("*.json"))
    text = (careless / "server.conf").read_text().replace("sync_interval: always", "sync_interval: 2m")
    (careless / "server.conf").write_text(text)
    with pytest.raises(ServerProblem, match="sync_interval"):
        await EmbeddedServers(home, configuration=careless).join()


@pytest.mark.parametrize("hanging", [0, 1], ids=["NATS", "PostgreSQL"])
async def test_a_running_server_that_hangs_is_told_before_long(
    home: Path, nats_configuration: Path, hanging: int
) -> None:
    async with EmbeddedServers(home, configuration=nats_configuration):
        hung = pids(home)[hanging]
        os.kill(hung, signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(ServerProblem, match="runs and does not answer"):
                await EmbeddedServers(home, configuration=nats_configuration).join()
        finally:
            os.kill(hung, signal.SIGCONT)
        assert time.monotonic() - began < SOON
    async with EmbeddedServers(home, configuration=nats_configuration):
        pass
