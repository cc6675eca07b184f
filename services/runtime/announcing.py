"""Announces a service to NATS service discovery."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import nats.errors
from nats.aio.client import Client
from nats.micro.service import Service, ServiceConfig

from services.runtime.version import own_version

STOP_SECONDS = 2.0


@asynccontextmanager
async def announced(connection: Client, name: str, purpose: str, instance: str) -> AsyncIterator[None]:
    """Answer PING, INFO and STATS for a service during the block; NATS may go and come meanwhile."""
    service = Service(
        connection,
        ServiceConfig(
            name=f"aps-{name}", version=own_version(), description=purpose, metadata={"instance": instance}
        ),
    )
    # The last step of a start is a look whether the server heard. Where the connection is lost meanwhile,
    # nobody answers that, and the next connection subscribes to the same anew.
    with suppress(nats.errors.FlushTimeoutError):
        await service.start()
    try:
        yield
    finally:
        with suppress(ConnectionError, TimeoutError, nats.errors.Error):
            await asyncio.wait_for(service.stop(), STOP_SECONDS)
