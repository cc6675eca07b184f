"""What a gateway meters with: its own traffic, and the measurements that others send."""

from dataclasses import dataclass

import asyncpg
from nats.aio.client import Client

from services.gateway.metering.counting import Counting
from services.gateway.metering.kept import KeptTallies
from services.gateway.metering.sending import Sending
from services.gateway.metering.traffic import Traffic


@dataclass(frozen=True)
class Metering:
    """One for each gateway. `counting` is to be run."""

    traffic: Traffic
    sending: Sending
    kept: KeptTallies
    counting: Counting


def metering(connection: Client, pool: "asyncpg.Pool[asyncpg.Record]") -> Metering:
    """Return what meters over a connection and a pool, which stay the caller's."""
    kept = KeptTallies(pool)
    return Metering(Traffic(), Sending(connection), kept, Counting(connection, kept))
