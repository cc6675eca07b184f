"""Deliveries as GitHub, n8n and other systems sign them, GitHub's examples, and a gateway that takes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from events.delivery import DELIVERY, Delivery
from services.runtime.log import Log
from services.runtime.secret import settle_secret
from services.vault.jetstream import JetStreamKeyStore
from tests.gateway_place import Place, Said, ground_at, open_place
from tests.log_server import LogServer

EXAMPLES = Path(sys.prefix) / "programs/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
PRESENT, FORMER, FORGOTTEN = "the present secret", "the secret before", "a secret before that"
SYSTEM = "whsec_" + base64.b64encode(b"a key of other systems").decode()
SETTINGS = {
    "SECRET_KEY_BASE": "k" * 48,
    "GITHUB_WEBHOOK_SECRET": PRESENT,
    "GITHUB_WEBHOOK_SECRET_OLD": FORMER,
    "N8N_WEBHOOK_SECRET": PRESENT,
    "APS_WEBHOOK_SECRET": SYSTEM,
}
GITHUB = "/api/webhooks/github"
LARGE = 1 << 20  # aiohttp wants a file beyond


@dataclass(frozen=True)
class Example:
    """One of GitHub's example deliveries."""

    event: str
    number: int
    body: bytes
    payload: Mapping[str, Any] = field(repr=False)

    @property
    def key(self) -> str:
        return str(uuid5(NAMESPACE_URL, f"{self.event} {self.number}"))


@cache
def examples() -> tuple[Example, ...]:
    """Return all of GitHub's examples. They are installed with the tests' programs."""
    found = orjson.loads(EXAMPLES.read_bytes())
    return tuple(
        Example(one["name"], number, orjson.dumps(payload), payload)
        for one in found
        for number, payload in enumerate(one["examples"])
    )


def digest(secret: str, body: bytes) -> str:
    """Sign as GitHub does, and n8n's workflows."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def by_github(key: str, event: str, body: bytes, secret: str | None = PRESENT) -> dict[str, str]:
    """Return the headers of a delivery; without a secret it is not signed."""
    headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": key, "Content-Type": "application/json"}
    return headers if secret is None else {**headers, "X-Hub-Signature-256": digest(secret, body)}


def standard(id: str, timestamp: int, body: bytes, key: bytes = b"a key of other systems") -> dict[str, str]:
    """Return the headers of a message by Standard Webhooks."""
    content = f"{id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
        "Content-Type": "application/json",
    }


@dataclass(frozen=True)
class Hooks:
    """A gateway with web hooks."""

    place: Place

    async def post(self, path: str, body: Any, headers: Mapping[str, str]) -> Said:
        """Send a body; `body` is bytes, or what aiohttp streams."""
        data = io.BytesIO(body) if isinstance(body, bytes) and len(body) > LARGE else body
        sending = self.place.session.post(f"{self.place.url}{path}", data=data, headers=headers)
        async with sending as answer:
            return Said(
                answer.status, answer.headers, await answer.text(), await answer.json(content_type=None)
            )

    async def github(self, example: Example, secret: str | None = PRESENT) -> Said:
        """Deliver one of GitHub's examples."""
        return await self.post(
            GITHUB, example.body, by_github(example.key, example.event, example.body, secret)
        )

    async def state(self, id: str) -> Delivery:
        return await self.place.book.state(DELIVERY, id)


async def deliveries(book: Log) -> list[dict[str, Any]]:
    """Return what is on the log of deliveries, oldest first."""
    return [
        {"fact": event.envelope.address.fact, "id": event.envelope.address.id, **event.envelope.data}
        async for event in book.store.read_all()
        if event.envelope.address.aggregate == DELIVERY.name
    ]


@asynccontextmanager
async def open_hooks(
    log_server: LogServer, database: str, home: Path, port: int, **more: str
) -> AsyncIterator[Hooks]:
    """Serve with the secrets of `SETTINGS`, or `more`."""
    await log_server.wipe()
    ground = ground_at(log_server, database, home, port, **{**SETTINGS, **more})
    admin = await ground.connect("admin")
    await settle_secret(JetStreamKeyStore(admin), ground.settings)
    await admin.close()
    async with open_place(ground) as place:
        yield Hooks(place)
