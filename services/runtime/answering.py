"""Asks by service discovery which copies of services run."""

import asyncio

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import ConfigDict, ValidationError

from events.rights import SERVICES
from schemas.base import Frozen

PING_SECONDS = 2.0  # a service at work on a large file answers late
QUIET_SECONDS = 0.1  # once every service answered, a further copy answers within this


class _Ping(Frozen):
    """What a service says of itself, as far as it is of use here."""

    model_config = ConfigDict(extra="ignore")

    name: str
    id: str
    metadata: dict[str, str] = {}


async def copies(connection: Client, seconds: float = PING_SECONDS) -> dict[str, tuple[str, ...]]:
    """Return the copies of each service that answer a ping, by service; whoever is asked has `seconds`."""
    if not connection.is_connected:
        return {}
    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox)
    found: dict[str, list[str]] = {}
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    try:
        await connection.publish("$SRV.PING", b"", reply=inbox)
        while (left := deadline - clock()) > 0:
            complete = found.keys() >= set(SERVICES)
            try:
                answer = await subscription.next_msg(min(left, QUIET_SECONDS) if complete else left)
            except nats.errors.TimeoutError:
                break
            if not answer.data:
                break  # the server says that nobody listens
            if answerer := _answerer(answer):
                found.setdefault(answerer[0], []).append(answerer[1])
    finally:
        if not connection.is_closed:
            await subscription.unsubscribe()
    return {name: tuple(sorted(instances)) for name, instances in found.items()}


def _answerer(answer: Msg) -> tuple[str, str] | None:
    """Return which service answered, and which copy of it; None for a stranger's nonsense."""
    try:
        ping = _Ping.model_validate_json(answer.data)
    except ValidationError:
        return None
    return ping.name.removeprefix("aps-"), ping.metadata.get("instance", ping.id)
