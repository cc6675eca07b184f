"""The gateway under a certificate of its own: encrypted, the session for encrypted connections alone."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from schemas.access import Role
from services.access.sessions import COOKIE
from services.access.tokens import grant
from services.gateway.serving import run_gateway
from services.runtime.ground import Ground
from services.runtime.tls import UnusableCertificate
from tests.certificates import Authority, Pair
from tests.gateway_place import CAUSE, ground_at, serving
from tests.log_server import LogServer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("signed") / "authority", "a test's authority")


@pytest.fixture
async def ground(server: LogServer, database: str, tmp_path: Path, free_port: int) -> Ground:
    return ground_at(server, database, tmp_path, free_port)


def under(ground: Ground, pair: Pair) -> Ground:
    """The same gateway with a certificate."""
    files = {"tls_cert": pair.cert, "tls_key": pair.key}
    return replace(ground, settings=ground.settings.model_copy(update=files))


@pytest.fixture
async def session(authority: Authority) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that trusts the authority alone."""
    trust = ssl.create_default_context(cafile=str(authority.ca))
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as opened:
        yield opened


async def cookie_of(ground: Ground, url: str, session: aiohttp.ClientSession) -> str:
    """What enters a browser with a token."""
    async with ground.log("cli") as (_, book):
        token = await grant(book, "a person", Role.VIEWER, CAUSE)
    form = {"token": token.text}
    async with session.post(f"{url}/enter", data=form, allow_redirects=False) as answer:
        assert answer.status == 303
        (cookie,) = answer.headers.getall("Set-Cookie")
    return cookie


async def test_it_proves_who_it_is_and_sends_sessions_over_encrypted_connections_alone(
    ground: Ground, authority: Authority, session: aiohttp.ClientSession
) -> None:
    encrypted = under(ground, authority.signed("gateway", "127.0.0.1"))
    async with serving(encrypted, session) as url:
        assert url.startswith("https://")
        async with session.get(f"{url}/livez") as answer:
            assert answer.status == 200
            assert "max-age" in answer.headers["Strict-Transport-Security"]
        cookie = await cookie_of(encrypted, url, session)
        assert cookie.startswith(COOKIE)
        assert "Secure" in cookie.split("; ")
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url.replace("https:", "http:"))


async def test_without_a_certificate_the_session_works_on_plain_loopback(
    ground: Ground, session: aiohttp.ClientSession
) -> None:
    async with serving(ground, session) as url:
        cookie = await cookie_of(ground, url, session)
        async with session.get(f"{url}/livez") as answer:
            assert "Strict-Transport-Security" not in answer.headers
    assert "Secure" not in cookie.split("; ")
    assert "HttpOnly" in cookie.split("; ")


async def test_what_is_no_certificate_ends_it_before_it_listens(ground: Ground, authority: Authority) -> None:
    pair = authority.signed("other", "127.0.0.1")
    with pytest.raises(UnusableCertificate, match="APS_TLS_CERT"):
        await run_gateway(under(ground, Pair(pair.key, pair.cert)))
