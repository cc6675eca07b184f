"""A gateway with work for agents from outside, and how one asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from events.improvement import IMPROVEMENT
from events.lease import WorkClaimed
from events.target import TARGET, Registered
from schemas.access import Role
from services.runtime.secret import settle_secret
from services.vault.jetstream import JetStreamKeyStore
from tests import projection_facts as f
from tests.gateway_place import CAUSE, Place, ground_at, open_place
from tests.git_targets import git, make
from tests.log_server import LogServer

ID, TARGET_ID = "imp-1", "shop-1"
SOURCE = b"def parse(x):\n    return x[0]\n"
PATCH = """--- a/shop.py
+++ b/shop.py
@@ -1,2 +1,2 @@
 def parse(x):
-    return x[0]
+    return x[0] if x else 0
"""
PROOFS = [{"behaviour": "an  empty list gives 0", "tests": ["tests/test_shop.py::test_empty"]}]
FEATURE = """Feature: Parse nothing
  Scenario: shown
    Then the behaviour "an empty list gives 0" is shown by tests that fail without it
"""
GUARDED = """Feature: Parse something
  Scenario: shown
    Then the behaviour "a list gives its first" is guarded by new tests
"""
SECRET = "sk-ant-api03-Zq8vT1bW5xY2kL9mN4pR7sD3fG6hJ0aC"
HAND = {"title": "a hand", "role": "developer", "capabilities": ["python"], "capacity": 1}


@asynccontextmanager
async def asked_and_designed(
    server: LogServer, database: str, tmp_path: Path, free_port: int
) -> AsyncIterator[Place]:
    """A gateway, and an improvement that was asked for and designed."""
    folder = make(tmp_path / "shop", {"shop.py": SOURCE})
    head = git(folder, "rev-parse", "HEAD")
    ground = ground_at(server, database, tmp_path / "home", free_port, SECRET_KEY_BASE="s" * 40)
    async with open_place(ground) as opened:
        async with opened.ground.log("admin") as (connection, book):
            await settle_secret(JetStreamKeyStore(connection), ground.settings)
            first = Registered(path=str(folder), title="shop", origin=str(folder))
            asked = f.scan_requested().model_copy(update={"base": head, "request": "parse nothing"})
            await book.record(TARGET, TARGET_ID, first, asked, cause=CAUSE)
            for id, text in ((ID, FEATURE), ("imp-2", GUARDED)):
                await _designed(book, id, head, asked.scan, text)
        await opened.seen()
        yield opened


async def _designed(book: Any, id: str, head: str, scan: str, text: str) -> None:
    known = {"target": TARGET_ID, "scan": scan, "base": head, "source": "request", "why": "parse nothing"}
    feature = await book.keep(text, f"{id}.feature", "text/x-gherkin")
    plan = await book.keep("Return 0 early.", f"{id}.md", "text/markdown")
    facts = (
        f.discovered().model_copy(update=known),
        _claim(book),
        f.specified(2).model_copy(update={"feature": feature}),
        _claim(book),
        f.designed(4).model_copy(update={"decision": plan}),
    )
    for fact in facts:
        await book.record(IMPROVEMENT, id, fact, cause=CAUSE)


def _claim(book: Any) -> WorkClaimed:
    return WorkClaimed(agent="pm-1", work="x", lease_until=book.clock() + timedelta(minutes=5))


async def do(place: Place, path: str, body: dict[str, Any] | None = None, key: str = "", **who: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    if "token" in who:
        return await place.ask("POST", f"/api/{path}", None, body or {}, headers | bearer(who["token"]))
    return await place.ask("POST", f"/api/{path}", who.get("role", Role.AGENT), body or {}, headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def claimed(place: Place, id: str = ID, **body: Any) -> Any:
    await do(place, "agents", HAND)
    return await do(place, f"work/{id}/claim", body)
