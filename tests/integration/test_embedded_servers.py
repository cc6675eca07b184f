"""The embedded servers as clients see them."""

import re

import asyncpg
import pytest

import nats
from services.runtime.embedded.programs import configuration_folder
from services.runtime.embedded.servers import NATS_USERS, EmbeddedServers


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
