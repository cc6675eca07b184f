"""What every artefact store does: the same sentences over the one in memory and the one on JetStream."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator

import pytest

from events.jetstream.artefacts import CHUNK_BYTES, JetStreamArtefacts
from events.memory import InMemoryArtefacts
from events.store import Artefacts, Broken
from tests.log_server import LogServer, started

MISSING = "0" * 64


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(tmp_path_factory.mktemp("log"))
    yield log_server
    log_server.kill()


@pytest.fixture(params=["memory", "jetstream"])
async def artefacts(request: pytest.FixtureRequest) -> AsyncIterator[Artefacts]:
    if request.param == "memory":
        yield InMemoryArtefacts()
        return
    log_server: LogServer = request.getfixturevalue("server")
    await log_server.wipe()
    async with log_server.connection("developer") as connection:
        yield JetStreamArtefacts(connection)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a patch",
        bytes(range(256)) * 10,
        b"x" * CHUNK_BYTES,
        b"y" * (CHUNK_BYTES + 1),
        bytes(range(250)) * 10_000,
    ],
    ids=["empty", "short", "binary", "one chunk", "a byte more", "many chunks"],
)
async def test_content_is_kept_under_its_sha256(artefacts: Artefacts, content: bytes) -> None:
    name = await artefacts.put(content)
    assert name == hashlib.sha256(content).hexdigest()
    assert await artefacts.get(name) == content


async def test_what_was_never_put_is_not_there(artefacts: Artefacts) -> None:
    with pytest.raises(KeyError):
        await artefacts.get(MISSING)


async def test_putting_again_changes_nothing(artefacts: Artefacts) -> None:
    names = [await artefacts.put(b"the same") for _ in range(3)]
    assert len(set(names)) == 1
    assert await artefacts.get(names[0]) == b"the same"


async def test_many_put_the_same_at_once(artefacts: Artefacts) -> None:
    content = b"z" * (3 * CHUNK_BYTES)
    names = await asyncio.gather(*(artefacts.put(content) for _ in range(8)))
    assert len(set(names)) == 1
    assert await artefacts.get(names[0]) == content


async def stored(server: LogServer) -> int:
    async with server.connection("admin") as admin:
        return int((await admin.jetstream().stream_info("ARTEFACTS")).state.messages)


async def test_content_is_stored_once_whoever_puts_it(server: LogServer) -> None:
    await server.wipe()
    content = b"z" * (3 * CHUNK_BYTES)
    async with server.connection("developer") as one, server.connection("qa") as other:
        writers = [JetStreamArtefacts(connection) for connection in (one, other) * 3]
        await asyncio.gather(*(writer.put(content) for writer in writers))
        await JetStreamArtefacts(other).put(content)
    assert await stored(server) == 3


async def test_an_interrupted_put_goes_on(server: LogServer) -> None:
    await server.wipe()
    content = bytes(range(250)) * 5_000
    name = hashlib.sha256(content).hexdigest()
    async with server.connection("developer") as connection:
        artefacts = JetStreamArtefacts(connection)
        await connection.request(f"aps.artefacts.{name}.3.0", content[:CHUNK_BYTES], timeout=5)
        with pytest.raises(KeyError):
            await artefacts.get(name)
        assert await artefacts.put(content) == name
        assert await artefacts.get(name) == content
    assert await stored(server) == 3


async def test_content_that_does_not_fit_its_name_is_broken(server: LogServer) -> None:
    await server.wipe()
    async with server.connection("developer") as connection:
        await connection.request(f"aps.artefacts.{MISSING}.1.0", b"something else", timeout=5)
        with pytest.raises(Broken):
            await JetStreamArtefacts(connection).get(MISSING)
