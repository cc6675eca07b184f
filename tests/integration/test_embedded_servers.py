"""The embedded servers as clients see them."""

import os
import re
from pathlib import Path

import asyncpg
import pytest

import nats
from services.runtime.embedded.programs import configuration_folder
from services.runtime.embedded.servers import NATS_USERS, EmbeddedServers
from tests.integration.test_embedded import PID_FILES


@pytest.mark.parametrize("user", NATS_USERS)
async def test_each_user_logs_in_to_nats_with_its_own_password(
    servers: EmbeddedServers, nats_url: str, user: str
) -> None:
    client = await nats.connect(nats_url, user=user, password=servers.nats_password(user))
    assert client.is_connected
    await client.close()


def test_the_shipped_users_are_those_that_get_a_password() -> None:
    users = (configuration_folder() / "users.conf").read_text("utf-8")
    assert set(re.findall(r"\$APS_NATS_([A-Z]+)_PASSWORD", users)) == {user.upper() for user in NATS_USERS}


async def test_a_database_of_ones_own_is_empty_and_utf8(database: str) -> None:
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    await connection.close()


async def test_a_server_that_has_not_said_its_id_yet_is_nobody_to_signal(
    home: Path, nats_configuration: Path
) -> None:
    async with EmbeddedServers(home, configuration=nats_configuration) as servers:
        assert servers.place
    for server, file in zip(servers._servers, PID_FILES, strict=True):
        (home / file).write_text(f"{os.getpid()}\n")  # a former server's id that is another's now
        server.prepare()
        with pytest.raises((FileNotFoundError, ProcessLookupError)):
            os.kill(server.pid(), 0)
