"""Connections to NATS and PostgreSQL are encrypted by settings: real servers, certificates of a test."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import orjson
import pytest

from services.cli.session import Exit
from services.runtime.data_folder import SERVICE_UID, is_root
from services.runtime.embedded.addresses import free_port
from services.runtime.embedded.process import give_to_service, run_as_service
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, NotReady
from services.runtime.nats_connection import Unencrypted, close_nats, encryption_of, open_nats
from services.runtime.settings import load
from services.runtime.tls import Tls, UnusableCertificate, cipher_of, of_database
from tests.certificates import Authority, Pair
from tests.cli_process import ended
from tests.conftest import run
from tests.log_server import PASSWORDS, LogServer
from tests.tls_front import TlsFront

NAME = "nats.internal"
ENCRYPTED_ONLY = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n"


@dataclass(frozen=True)
class World:
    """A NATS and a PostgreSQL that speak to nobody in the open, and the settings that fit."""

    home: Path
    nats: LogServer
    ours: Authority
    strangers: Authority
    client: Pair
    database_url: str

    @property
    def names(self) -> dict[str, str]:
        return {
            "NATS_URL": f"tls://127.0.0.1:{self.nats.port}",
            "NATS_TLS_CA": str(self.ours.ca),
            "NATS_TLS_CERT": str(self.client.cert),
            "NATS_TLS_KEY": str(self.client.key),
            "DATABASE_URL": self.database_url,
            "DATABASE_TLS_CA": str(self.ours.ca),
            "DATABASE_TLS_CERT": str(self.client.cert),
            "DATABASE_TLS_KEY": str(self.client.key),
            "SECRET_KEY_BASE": "s" * 40,
            **PASSWORDS,
        }

    def ground(self, without: tuple[str, ...] = (), **more: str) -> Ground:
        names = {name: value for name, value in {**self.names, **more}.items() if name not in without}
        settings = load({"APS_HOME": str(self.home), **names})
        assert settings.nats_url is not None
        assert settings.database_url is not None
        return Ground(
            settings, settings.nats_url.get_secret_value(), settings.database_url.get_secret_value()
        )


class SystemPostgres:
    """The machine's own PostgreSQL, whose build speaks TLS; it takes nothing in the open."""

    def __init__(self, programs: Path, place: Path, ours: Authority, server: Pair) -> None:
        place.mkdir(parents=True)
        data, password = place / "data", place / "password"
        password.write_text("pw")
        pems = {name: place / f"{name}.pem" for name in ("ca", "cert", "key")}
        for name, source in (("ca", ours.ca), ("cert", server.cert), ("key", server.key)):
            shutil.copy(source, pems[name])
        for path in (place, password, *pems.values()):
            give_to_service(path)
        make = (str(programs / "initdb"), "-D", str(data), "-U", "aps", "-A", "scram-sha-256")
        assert run_as_service((*make, f"--pwfile={password}"), {"LC_ALL": "C"}, place) is None
        (data / "pg_hba.conf").write_text(ENCRYPTED_ONLY)
        self.port = free_port()
        flags = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "ssl": "on"}
        flags |= {f"ssl_{name}_file": str(file) for name, file in pems.items()}
        own = {"user": SERVICE_UID, "group": SERVICE_UID, "extra_groups": []} if is_root() else {}
        with (place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-p", str(self.port)]
                + [word for name, value in flags.items() for word in ("-c", f"{name}={value}")],
                **own,
                cwd=place,
                stdout=log,
                stderr=log,
            )
        self.url = f"postgresql://aps:pw@127.0.0.1:{self.port}/postgres"

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)


async def until_there(ground: Ground) -> None:
    """Wait until PostgreSQL takes connections."""
    async with asyncio.timeout(30):
        while True:
            try:
                connection = await ground.database(5)
                return await connection.close()
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)


def system_postgres() -> list[Path]:
    """The programs of the machine's own PostgreSQL, where there is one."""
    return [found.parent for found in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))][-1:]


# The build that comes as a wheel speaks no TLS: a terminator stands before it. The machine's is tried too.
POSTGRESES = [pytest.param(None, id="terminator"), *(pytest.param(p, id="system") for p in system_postgres())]


@pytest.fixture(scope="module", params=POSTGRESES)
def world(
    request: pytest.FixtureRequest,
    open_home: Path,
    servers: EmbeddedServers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    home = open_home / f"tls {uuid4().hex[:6]}"
    folder = tmp_path_factory.mktemp("tls")
    ours, strangers = Authority(folder / "ours", "ours"), Authority(folder / "strangers", "strangers")
    server, client = ours.signed(NAME, "127.0.0.1"), ours.signed("aps")
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, home, ignore_errors=True)
        if request.param is None:
            parts = urlsplit(servers.database_url)
            assert parts.port is not None
            front = TlsFront(("127.0.0.1", parts.port), ours.ca, server)
            ending.callback(front.close)
            url = servers.database_url.replace(f":{parts.port}/", f":{front.port}/")
        else:
            postgres = SystemPostgres(request.param, home / "postgres", ours, server)
            ending.callback(postgres.close)
            url = postgres.url
        nats = LogServer(
            folder,
            *("--tls", f"--tlscert={server.cert}", f"--tlskey={server.key}"),
            *(f"--tlscacert={ours.ca}", "--tlsverify"),
        )
        nats.start()
        ending.callback(nats.kill)
        found = World(home / "own", nats, ours, strangers, client, url)
        run(until_there(found.ground()))
        yield found


async def why_nats_is_refused(ground: Ground) -> str:
    with pytest.raises(NotReady) as refused:
        async with asyncio.timeout(20):
            await ground.connect("cli")
    return str(refused.value)


async def test_a_connection_to_nats_is_encrypted_and_goes_both_ways(world: World) -> None:
    connection = await world.ground().connect("cli")
    assert (encryption_of(connection) or "").startswith("TLSv1.3")
    assert (await connection.request("$JS.API.INFO", timeout=5)).data
    await close_nats(connection)


async def test_a_nats_that_others_vouch_for_is_refused(world: World) -> None:
    told = await why_nats_is_refused(world.ground(NATS_TLS_CA=str(world.strangers.ca)))
    assert "does not prove who it is" in told
    assert "NATS_TLS_CA" in told
    told = await why_nats_is_refused(world.ground(without=("NATS_TLS_CA",)))
    assert "does not prove who it is" in told


async def test_a_nats_by_another_name_is_refused_unless_that_name_is_set(world: World) -> None:
    url = f"tls://localhost:{world.nats.port}"
    assert "NATS_TLS_NAME" in await why_nats_is_refused(world.ground(NATS_URL=url))
    connection = await world.ground(NATS_URL=url, NATS_TLS_NAME=NAME).connect("cli")
    assert encryption_of(connection)
    await close_nats(connection)


async def test_a_nats_that_wants_a_certificate_says_which_settings_give_it(world: World) -> None:
    told = await why_nats_is_refused(world.ground(without=("NATS_TLS_CERT", "NATS_TLS_KEY")))
    assert "NATS_TLS_CERT" in told


async def test_nats_closes_a_connection_in_the_open(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.nats.port)
    assert orjson.loads((await reader.readline()).removeprefix(b"INFO "))["tls_required"] is True
    writer.write(b'CONNECT {"user":"cli","pass":"p-cli"}\r\nPING\r\n')
    heard = b""
    with suppress(ConnectionError):  # it may end or be cut
        async with asyncio.timeout(10):
            heard = await reader.read()
    assert b"PONG" not in heard
    writer.close()


@pytest.fixture
async def eavesdropper() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Who greets like a NATS without encryption, and keeps what it hears."""
    heard: list[bytes] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {
            "server_id": "x",
            "version": "2.15.1",
            "max_payload": 1,
            "auth_required": True,
            "headers": True,
        }
        writer.write(b"INFO " + orjson.dumps(info) + b"\r\n")
        await writer.drain()
        heard.append(await reader.read(1024))
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], heard
    server.close()
    await server.wait_closed()


async def test_who_offers_no_encryption_hears_no_password(
    world: World, eavesdropper: tuple[int, list[bytes]]
) -> None:
    port, heard = eavesdropper
    for url in (f"tls://127.0.0.1:{port}", f"nats://127.0.0.1:{port}"):
        assert "offers no encryption" in await why_nats_is_refused(world.ground(NATS_URL=url))
    assert b"".join(heard) == b""


async def test_a_nats_that_comes_back_in_the_open_gets_no_connection(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "ours", "ours")
    pair = ours.signed(NAME, "127.0.0.1")
    secured = LogServer(tmp_path, "--tls", f"--tlscert={pair.cert}", f"--tlskey={pair.key}")
    secured.start()
    refused, back = asyncio.Event(), asyncio.Event()

    async def returned() -> None:
        back.set()

    async def complain(problem: Exception) -> None:
        if isinstance(problem, Unencrypted):
            refused.set()

    url, tls = f"tls://127.0.0.1:{secured.port}", Tls("NATS", ca=ours.ca)
    options = {"user": "cli", "password": "p-cli", "max_reconnect_attempts": -1, "reconnect_time_wait": 0.1}
    connection = await open_nats(url, tls, complain, reconnected_cb=returned, **options)
    secured.kill()
    plain = LogServer(tmp_path)
    plain.port = secured.port
    plain.start()
    try:
        async with asyncio.timeout(20):
            await refused.wait()
        assert not connection.is_connected
        plain.kill()
        secured.start()
        async with asyncio.timeout(20):
            await back.wait()
        assert encryption_of(connection)
    finally:
        await close_nats(connection)
        secured.kill()


async def test_every_connection_to_postgresql_is_encrypted(world: World) -> None:
    ground = world.ground()
    async with ground.pool(1, 2) as pool:
        one = await ground.database(5)
        async with pool.acquire() as other:
            for connection in (one, other):
                assert cipher_of(connection._transport.get_extra_info("ssl_object"))
                assert await connection.fetchval("select 1") == 1
        await one.close()


async def test_postgresql_takes_nothing_in_the_open_and_nobody_without_a_certificate(world: World) -> None:
    parts = tuple(f"DATABASE_TLS_{part}" for part in ("CA", "CERT", "KEY"))
    for mode in ("disable", "require"):
        plain = world.ground(without=parts, DATABASE_URL=f"{world.database_url}?sslmode={mode}")
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await plain.database(5)


async def test_a_postgresql_that_others_vouch_for_is_refused(world: World) -> None:
    with pytest.raises(OSError, match="certificate verify failed"):
        await world.ground(DATABASE_TLS_CA=str(world.strangers.ca)).database(5)


async def test_a_postgresql_by_another_name_is_refused_unless_that_name_is_set(world: World) -> None:
    url = world.database_url.replace("127.0.0.1", "localhost")
    with pytest.raises(OSError, match="certificate verify failed"):
        await world.ground(DATABASE_URL=url).database(5)
    connection = await world.ground(DATABASE_URL=url, DATABASE_TLS_NAME=NAME).database(5)
    await connection.close()


def test_a_file_that_holds_no_certificate_is_named(world: World) -> None:
    tls = of_database(world.ground(DATABASE_TLS_CA=str(world.client.key)).settings)
    assert tls is not None
    with pytest.raises(UnusableCertificate, match="DATABASE_TLS_CA="):
        tls.context()


def test_the_commands_work_over_encrypted_connections_and_say_so(world: World) -> None:
    assert ended(world.home, "setup", **world.names).returncode == Exit.OK
    doctor = ended(world.home, "doctor", "--json", **world.names)
    check = next(one for one in orjson.loads(doctor.stdout)["checks"] if one["name"] == "encryption")
    assert check["state"] == "ok"
    assert check["detail"].count("TLSv1.3") == 2
    assert ended(world.home, "events", "verify", **world.names).returncode == Exit.OK
    context = orjson.loads((world.home / "nats-inspector.json").read_bytes())
    assert (context["ca"], context["cert"]) == (str(world.ours.ca), str(world.client.cert))


@pytest.mark.parametrize("server", ["NATS", "DATABASE"])
def test_a_command_that_trusts_another_authority_ends_with_a_clear_word(world: World, server: str) -> None:
    names = {**world.names, f"{server}_TLS_CA": str(world.strangers.ca)}
    done = ended(world.home, "setup", **names)
    assert (done.returncode, done.stdout) == (Exit.UNAVAILABLE, "")
    assert "does not prove who it is" in done.stderr
    assert f"{server}_TLS_CA" in done.stderr
    assert "p-admin" not in done.stderr
