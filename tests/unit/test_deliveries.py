"""A refusal that lasts is not asked for again without a pause; whatever is delivered never waits."""

import asyncio
from typing import cast

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.runtime.deliveries import ACKNOWLEDGED_AT, Deliveries

PAUSE = 0.05
WAIT = 0.1


class Answering:
    """A server that answers each request at once, with the reply subject it has for it."""

    def __init__(self, *replies: str) -> None:
        self._client = cast("Client", None)  # no message is acknowledged
        self._replies = list(replies)
        self.answers: asyncio.Queue[Msg] = asyncio.Queue()
        self.asked: list[bytes] = []

    async def publish(self, subject: str, payload: bytes, reply: str) -> None:
        self.asked.append(payload)
        answer = Msg(self._client, "inbox", self._replies.pop(0), b"", {"Status": "409"})
        self.answers.put_nowait(answer)


def pulling(server: Answering) -> Deliveries:
    return Deliveries(cast("Client", server), "APS", "pm", "inbox", server.answers, PAUSE)


async def seconds(server: Answering, wait: float = WAIT) -> float:
    """Return how long one fetch takes."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    await pulling(server).fetch(1, wait)
    return clock() - begun


async def test_a_request_refused_at_once_is_not_repeated_before_a_pause() -> None:
    server = Answering("", "")
    assert await seconds(server) >= PAUSE
    assert len(server.asked) == len([b"what is there", b"what comes"])


@pytest.mark.parametrize(
    "replies", [(f"{ACKNOWLEDGED_AT}one",), ("", f"{ACKNOWLEDGED_AT}one")], ids=["there", "coming"]
)
async def test_what_is_delivered_never_waits(replies: tuple[str, ...]) -> None:
    assert await seconds(Answering(*replies)) < PAUSE


async def test_a_request_that_waited_its_time_is_repeated_at_once() -> None:
    assert await seconds(Answering("", ""), wait=0.0) < PAUSE
