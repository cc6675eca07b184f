"""A certificate that is renewed while connections are open, and connections that never get encrypted."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509

from services.gateway.certificates import Certificates, certificate
from services.gateway.listening import Site, runner_of
from services.runtime.ending import end
from services.runtime.settings import Settings, load
from services.runtime.tls import UnusableCertificate
from tests.certificates import Authority, Pair
from tests.gateway_place import ground_at, serving
from tests.log_server import LogServer

PATIENCE = 30.0
HOST = "127.0.0.1"
Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("signed") / "authority", "a test's authority")


def put(pair: Pair, at: Pair) -> None:
    """Renew files as a client of ACME does: each at once."""
    for source, place in ((pair.key, at.key), (pair.cert, at.cert)):
        fresh = place.with_suffix(".fresh")
        fresh.write_bytes(source.read_bytes())
        fresh.chmod(0o600)
        os.replace(fresh, place)  # noqa: PTH105 -- as it is done


@dataclass(frozen=True)
class Listening:
    """Something that listens under the certificate in `files`, which `shown` looks after."""

    port: int
    files: Pair
    shown: Certificates
    trust: ssl.SSLContext

    async def connect(self) -> Connected:
        return await asyncio.open_connection(HOST, self.port, ssl=self.trust, server_hostname=HOST)

    async def name_shown(self) -> str:
        return await name_shown(self.port, self.trust)


async def name_shown(port: int, trust: ssl.SSLContext) -> str:
    """The common name of the certificate that is shown to who connects now."""
    _, writer = await asyncio.open_connection(HOST, port, ssl=trust, server_hostname=HOST)
    name = common_name(writer)
    writer.close()
    await writer.wait_closed()
    return name


def common_name(writer: asyncio.StreamWriter) -> str:
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    subject = x509.load_der_x509_certificate(der).subject
    return str(subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def greeted(connected: Connected) -> bool:
    reader, writer = connected
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return b"hello" in await reader.readuntil(b"hello")


def settings_of(files: Pair, home: Path) -> Settings:
    given = {"APS_TLS_CERT": str(files.cert), "APS_TLS_KEY": str(files.key)}
    return load({"APS_HOME": str(home), **given})


@pytest.fixture
async def listening(authority: Authority, tmp_path: Path) -> AsyncIterator[Listening]:
    files = Pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    put(authority.signed("first", HOST), files)
    settings = settings_of(files, tmp_path)
    context = certificate(settings)
    assert context is not None
    app = web.Application()
    app.router.add_get("/", hello)
    runner = runner_of(app)
    await runner.setup()
    try:
        await Site(runner, (HOST, 0), context, handshake_seconds=0.2).start()
        shown = Certificates(settings, context, look_seconds=0.01)
        trust = ssl.create_default_context(cafile=str(authority.ca))
        yield Listening(runner.addresses[0][1], files, shown, trust)
    finally:
        await runner.cleanup()


async def test_who_connects_after_a_renewal_is_shown_the_new_one_and_who_was_there_goes_on(
    listening: Listening, authority: Authority
) -> None:
    before = await listening.connect()
    assert common_name(before[1]) == "first"
    assert await greeted(before)
    put(authority.signed("second", HOST), listening.files)
    looking = asyncio.create_task(listening.shown.run())
    async with asyncio.timeout(PATIENCE):
        while await listening.name_shown() != "second":
            pass
    await end(looking)
    assert await greeted(before)
    before[1].close()
    await before[1].wait_closed()


async def test_who_asks_for_a_name_is_shown_the_new_one_too(
    listening: Listening, authority: Authority
) -> None:
    put(authority.signed("second", HOST), listening.files)
    listening.shown.look()
    _, writer = await asyncio.open_connection(
        HOST, listening.port, ssl=listening.trust, server_hostname="second"
    )
    assert common_name(writer) == "second"
    writer.close()
    await writer.wait_closed()


async def test_files_that_hold_no_certificate_change_nothing_and_are_told_of_once(
    listening: Listening, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    second = authority.signed("second", HOST)
    listening.files.key.write_bytes(second.key.read_bytes())  # of another certificate than is there
    for _ in range(3):
        listening.shown.look()
    assert await listening.name_shown() == "first"
    assert capsys.readouterr().out.count("was there before") == 1
    listening.files.cert.unlink()
    listening.shown.look()
    assert await listening.name_shown() == "first"
    put(second, listening.files)
    listening.shown.look()
    assert await listening.name_shown() == "second"


async def test_who_connects_and_says_nothing_is_not_waited_for(listening: Listening) -> None:
    reader, writer = await asyncio.open_connection(HOST, listening.port)
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    writer.close()
    assert await listening.name_shown() == "first"


def test_files_that_hold_none_at_the_start_are_refused(authority: Authority, tmp_path: Path) -> None:
    pair = authority.signed("other", HOST)
    with pytest.raises(UnusableCertificate):
        certificate(settings_of(Pair(pair.key, pair.cert), tmp_path))


@pytest.mark.slow
async def test_the_gateway_looks_for_a_new_one(
    server: LogServer, database: str, authority: Authority, tmp_path: Path, free_port: int
) -> None:
    files = Pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    put(authority.signed("first", HOST), files)
    given = {"APS_TLS_CERT": str(files.cert), "APS_TLS_KEY": str(files.key)}
    ground = ground_at(server, database, tmp_path / "home", free_port, **given)
    trust = ssl.create_default_context(cafile=str(authority.ca))
    async with (
        asyncio.timeout(2 * PATIENCE),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session,
        serving(ground, session),
    ):
        assert await name_shown(free_port, trust) == "first"
        put(authority.signed("second", HOST), files)
        while True:
            if await name_shown(free_port, trust) == "second":
                break
            await asyncio.sleep(0.2)  # a handshake costs, and the gateway has the same cores
