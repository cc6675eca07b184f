"""The embedded servers as clients see them."""

import asyncpg

import nats
from services.runtime.embedded.servers import EmbeddedServers


async def test_each_user_logs_in_to_nats_with_its_own_password(
    servers: EmbeddedServers, nats_url: str
) -> None:
    client = await nats.connect(nats_url, user="admin", password=servers.nats_password("admin"))
    assert client.is_connected
    await client.close()


async def test_a_database_of_ones_own_is_empty_and_utf8(database: str) -> None:
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    await connection.close()
