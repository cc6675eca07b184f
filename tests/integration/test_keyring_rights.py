"""Who may do what to the keys of what is sealed, and what is left of an erased one, on a real server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from nats.aio.client import Client
from nats.errors import TimeoutError as NoAnswer

from events.rights import USERS, WRITERS
from events.store import Denied
from events.subjects import KEY_STREAM, deleted_key, key_root, wrapped_key
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keyring import Keyring
from services.vault.keys import Deletion
from services.vault.sealing import root_of
from tests.log_server import LogServer

DAY = datetime(2026, 11, 23, tzinfo=UTC)
ROOT = root_of("s" * 32)
RUN = "run/r1"
OTHERS = [user for user in USERS if user != "admin"]


@pytest.fixture
async def server(running: LogServer) -> AsyncIterator[LogServer]:
    """A server with one sealed subject."""
    await running.wipe()
    async with running.connection("admin") as admin:
        await JetStreamKeyStore(admin).add_first_root(ROOT.id)
        await ring(admin).seal(RUN, "text/plain", b"x")
    yield running


def ring(connection: Client) -> Keyring:
    return Keyring(JetStreamKeyStore(connection), ROOT, None, lambda: DAY)


async def refused(connection: Client, subject: str, body: bytes = b"{}") -> bool:
    """Whether the server answers nothing and complains of a missing permission."""
    with pytest.raises(NoAnswer):
        await connection.request(subject, body, timeout=0.5)
    return "permissions violation" in str(connection.last_error).lower()


async def refused_alone(server: LogServer, user: str, subject: str) -> bool:
    """Whether it is refused on a connection of its own, whose last complaint is about nothing else."""
    async with server.connection(user) as connection:
        return await refused(connection, subject)


@pytest.mark.parametrize("user", WRITERS)
async def test_who_writes_artefacts_seals_and_opens(server: LogServer, user: str) -> None:
    async with server.connection(user) as connection:
        sealed = await ring(connection).seal(f"run/{user}", "text/plain", b"a prompt")
        assert await ring(connection).unseal(f"run/{user}", "text/plain", sealed) == b"a prompt"


@pytest.mark.parametrize("user", OTHERS)
async def test_nobody_but_admin_erases_or_says_that_a_key_is_gone(server: LogServer, user: str) -> None:
    api = "$JS.API.STREAM"
    forbidden = [
        f"{api}.{act}.{KEY_STREAM}" for act in ("MSG.DELETE", "PURGE", "DELETE", "UPDATE", "MSG.GET")
    ]
    subjects = (*forbidden, deleted_key(RUN), key_root("f" * 32))
    found = await asyncio.gather(*(refused_alone(server, user, subject) for subject in subjects))
    assert dict(zip(subjects, found, strict=True)) == dict.fromkeys(subjects, True)
    async with server.connection("admin") as admin:
        assert (await JetStreamKeyStore(admin).find(RUN)).deleted is None


@pytest.mark.parametrize("user", ["inspector", "projector"])
async def test_who_only_looks_reads_no_wrapped_key(server: LogServer, user: str) -> None:
    async with server.connection(user) as connection:
        asked = orjson.dumps({"last_by_subj": wrapped_key(RUN, ROOT.id)})
        assert await refused(connection, f"$JS.API.DIRECT.GET.{KEY_STREAM}", asked)
        assert await JetStreamKeyStore(connection).roots() == (ROOT.id,)


async def test_a_key_is_never_overwritten(server: LogServer) -> None:
    async with server.connection("developer") as connection:
        before = await JetStreamKeyStore(connection).find(RUN)
        answer = await connection.request(wrapped_key(RUN, ROOT.id), b"junk", timeout=5)
        assert "maximum messages per subject" in orjson.loads(answer.data)["error"]["description"]
        assert await JetStreamKeyStore(connection).find(RUN) == before


async def test_a_deletion_by_a_role_is_denied_in_words(server: LogServer) -> None:
    async with server.connection("qa") as connection:
        with pytest.raises(Denied):
            await JetStreamKeyStore(connection).delete(Deletion(subject=RUN, at=DAY, by="qa", reason="none"))


async def test_nothing_of_an_erased_key_is_left_on_the_disk(server: LogServer) -> None:
    async with server.connection("admin") as admin:
        store = JetStreamKeyStore(admin)
        wrapped = (await store.find(RUN)).keys[0].wrapped.encode()
        assert holding(server.folder, wrapped)
        await store.delete(Deletion(subject=RUN, at=DAY, by="ann", reason="asked for"))
        assert holding(server.folder, wrapped) == []
        assert holding(server.folder, b"asked for")


def holding(folder: Path, text: bytes) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and text in file.read_bytes()]
