"""Deliveries become scans of the targets they are about: real clones, a log in memory, no gateway."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from events.delivery import DELIVERY, Delivery, Received
from events.envelope import Cause
from events.swarm import ALL, SWARM, Paused, Resumed
from events.target import TARGET, Registered, ScanFailed, Scanned, Target
from schemas.delivery import Outcome, Source
from services.changes.message import AUTHOR
from services.changes.release import BRANCH
from services.discovery.remotes import named, remotes
from services.discovery.understanding import Discovery
from services.runtime.claims import Halted, claim
from services.runtime.log import Log
from services.workspace.checkout import Workspace
from tests.asking_example import Time, book_at
from tests.git_targets import commit, git, make
from tests.webhook_deliveries import examples

ABOUT = "github.com/octocat/shop"
ID = "shop-1"
WISH = "parse() should accept an empty list"


@dataclass(frozen=True)
class Care:
    """A target in the swarm's care, a clone of `octocat/shop`."""

    book: Log
    discovery: Discovery
    folder: Path

    async def delivered(
        self, event: str, payload: Any, source: Source = Source.GITHUB, about: str = ABOUT
    ) -> Delivery:
        """Receive and understand a delivery; return what became of it."""
        key = uuid4().hex
        body = orjson.dumps(payload)
        fact = Received(
            source=source,
            key=key,
            event=event,
            about=about,
            size=len(body),
            body_sha256="0" * 64,
            sealed=await self.book.conceal(body.decode(), "delivery/github-20260105"),
        )
        cause = Cause(actor="gateway", source="aps/gateway", correlation=str(uuid4()))
        await self.book.record(DELIVERY, key, fact, cause=cause)
        await self.understand(key)
        return await self.book.state(DELIVERY, key)

    async def understand(self, key: str) -> None:
        ((event, *_), _) = await self.book.store.read("delivery", key)
        answer = Cause("pm", "aps/pm", event.envelope.correlationid, event.envelope.id)
        await self.discovery.understand(key, answer)

    async def target(self) -> Target:
        return await self.book.state(TARGET, ID)


@pytest.fixture
async def care(tmp_path: Path) -> Care:
    folder = make(tmp_path / "shop", {"shop.py": b"def parse(x): return x[0]\n"})
    git(folder, "remote", "add", "origin", "git@github.com:Octocat/Shop.git")
    git(folder, "checkout", "-q", "-B", "main")
    book = await book_at(Time())
    first = Registered(path=str(folder), title="shop", origin=str(folder))
    cause = Cause(actor="cli", source="aps/test", correlation=str(uuid4()))
    await book.record(TARGET, ID, first, cause=cause)
    return Care(book, Discovery(book, Workspace(tmp_path / "home"), "aps"), folder)


def push(ref: str = "refs/heads/main", email: str = "octocat@github.com") -> dict[str, Any]:
    return {
        "ref": ref,
        "commits": [{"message": "one", "committer": {"email": email}}],
        "repository": {"full_name": "Octocat/Shop"},
    }


def issue() -> dict[str, Any]:
    (found,) = [
        one.payload
        for one in examples()
        if one.event == "issues" and one.payload["action"] == "labeled" and "label" in one.payload
    ][:1]
    sender = {**found["sender"], "login": "maintainer"}
    return {**found, "label": {"name": "aps"}, "sender": sender}


def said(delivery: Delivery) -> tuple[Outcome, str]:
    assert delivery.understood is not None
    return delivery.understood.outcome, delivery.understood.said


async def test_a_push_of_others_has_the_target_looked_at(care: Care) -> None:
    delivery = await care.delivered("push", push())
    latest = (await care.target()).latest
    assert latest is not None
    assert said(delivery)[0] is Outcome.REQUESTED
    assert delivery.understood is not None
    assert (delivery.understood.target, delivery.understood.scan) == (ID, latest.id)
    assert (latest.requested.request, latest.requested.engine) == ("", "deterministic")


async def test_a_scan_answers_the_delivery_that_asked_for_it(care: Care) -> None:
    delivery = await care.delivered("push", push())
    assert delivery.received is not None
    ((first, *_), _) = await care.book.store.read("delivery", delivery.received.key)
    (*_, last), _ = await care.book.store.read("target", ID)
    assert last.envelope.causationid == first.envelope.id
    assert last.envelope.correlationid == first.envelope.correlationid


@pytest.mark.parametrize(
    "payload",
    [push(f"refs/heads/{BRANCH}"), push(email=AUTHOR.email)],
    ids=["to our branch", "of our commits"],
)
async def test_our_own_pushes_never_begin_anything(care: Care, payload: dict[str, Any]) -> None:
    assert said(await care.delivered("push", payload))[0] is Outcome.OWN
    assert (await care.target()).scans == {}


async def test_what_lands_with_us_and_is_pushed_to_github_ends_the_loop(care: Care) -> None:
    git(care.folder, "checkout", "-q", "-b", BRANCH)
    (care.folder / "shop.py").write_text("def parse(x): return x and x[0]\n")
    git(care.folder, "add", "-A")
    name, email = AUTHOR.name, AUTHOR.email
    git(care.folder, "-c", f"user.name={name}", "-c", f"user.email={email}", "commit", "-q", "-m", "one")
    told = git(care.folder, "log", "-1", "--format=%ce").strip()
    payload = {**push("refs/heads/main", told), "after": git(care.folder, "rev-parse", "HEAD").strip()}
    assert said(await care.delivered("push", payload))[0] is Outcome.OWN
    assert (await care.target()).scans == {}


async def test_a_push_to_a_branch_the_target_does_not_stand_on_is_held(care: Care) -> None:
    outcome, why = said(await care.delivered("push", push("refs/heads/next")))
    assert (outcome, "another branch" in why) == (Outcome.HELD, True)


async def test_a_scan_under_way_is_followed(care: Care) -> None:
    first, *others = [await care.delivered("push", push()) for _ in range(3)]
    assert len((await care.target()).scans) == 1
    assert first.understood is not None
    assert all(one.understood == first.understood for one in others)


async def test_a_commit_that_was_searched_is_not_searched_again(care: Care) -> None:
    await care.delivered("push", push())
    latest = (await care.target()).latest
    assert latest is not None
    cause = Cause(actor="pm", source="aps/test", correlation=str(uuid4()))
    async with claim(care.book, TARGET, ID, "scan", cause, 60) as held:
        report = await care.book.keep("{}", "findings.json", "application/json")
        done = Scanned(
            scan=latest.id,
            claim=held.token,
            base=latest.requested.base,
            packages=(),
            findings={},
            improvements=(),
            report=report,
        )
        await care.book.record(TARGET, ID, done, cause=cause)
    outcome, why = said(await care.delivered("push", push()))
    assert (outcome, "was searched before" in why) == (Outcome.HELD, True)
    commit(care.folder, {"shop.py": b"def parse(x): return x\n"}, "two")
    assert said(await care.delivered("push", push()))[0] is Outcome.REQUESTED


async def test_an_issue_becomes_a_request_with_its_text_sealed_beside_it(care: Care) -> None:
    assert said(await care.delivered("issues", issue()))[0] is Outcome.REQUESTED
    latest = (await care.target()).latest
    assert latest is not None
    assert latest.requested.engine == "auto"
    assert latest.requested.request.startswith("Do what issue")
    (handed,) = latest.requested.context
    assert handed.content.sealed_for is not None
    assert issue()["issue"]["title"] in (await care.book.fetch(handed.content)).decode()


async def test_an_issue_is_asked_for_once(care: Care) -> None:
    await care.delivered("issues", issue())
    latest = (await care.target()).latest
    assert latest is not None
    cause = Cause(actor="pm", source="aps/test", correlation=str(uuid4()))
    async with claim(care.book, TARGET, ID, "scan", cause, 60) as held:
        failed = ScanFailed(scan=latest.id, claim=held.token, reason="no engine")
        await care.book.record(TARGET, ID, failed, cause=cause)
    outcome, why = said(await care.delivered("issues", issue()))
    assert (outcome, "asked for before" in why) == (Outcome.HELD, True)


async def test_an_unknown_repository_is_recorded_and_told_and_nothing_more(care: Care) -> None:
    outcome, why = said(await care.delivered("push", push(), about="github.com/mallory/shop"))
    assert (outcome, "no target here" in why) == (Outcome.UNKNOWN, True)
    assert (await care.target()).scans == {}


async def test_what_names_no_repository_is_unknown(care: Care) -> None:
    assert said(await care.delivered("push", push(), about=""))[0] is Outcome.UNKNOWN


async def test_all_else_is_only_recorded(care: Care) -> None:
    assert said(await care.delivered("star", {"action": "created"}))[0] is Outcome.RECORDED


async def test_a_workflow_asks_in_its_own_words_of_the_target_it_names(care: Care) -> None:
    asked = {"id": "1", "action": "request", "target": "shop", "text": WISH, "context": []}
    delivery = await care.delivered("Kx3bV", asked, Source.N8N, "")
    assert said(delivery)[0] is Outcome.REQUESTED
    latest = (await care.target()).latest
    assert latest is not None
    assert latest.requested.request == WISH
    other = await care.delivered("Kx3bV", {**asked, "id": "2", "target": "nobody's"}, Source.N8N, "")
    assert said(other)[0] is Outcome.UNKNOWN


async def test_another_system_asks_by_a_message_of_the_type_request(care: Care) -> None:
    data = {"target": ID, "text": WISH}
    delivery = await care.delivered("request", {"type": "request", "data": data}, Source.SYSTEM, "")
    assert said(delivery)[0] is Outcome.REQUESTED
    odd = await care.delivered("request", {"type": "request", "data": {"target": ID}}, Source.SYSTEM, "")
    assert said(odd) == (Outcome.HELD, "its data is no request, at text")
    other = await care.delivered("invoice.paid", {"type": "invoice.paid"}, Source.SYSTEM, "")
    assert said(other)[0] is Outcome.RECORDED


async def test_a_delivery_is_understood_once(care: Care) -> None:
    delivery = await care.delivered("push", push())
    assert delivery.received is not None
    before = await care.book.store.head()
    await care.understand(delivery.received.key)
    assert await care.book.store.head() == before


async def test_while_everything_is_paused_it_waits(care: Care) -> None:
    cause = Cause(actor="cli", source="aps/test", correlation=str(uuid4()))
    await care.book.record(SWARM, ALL, Paused(reason="a look first"), cause=cause)
    with pytest.raises(Halted):
        await care.delivered("push", push())
    await care.book.record(SWARM, ALL, Resumed(), cause=cause)
    assert (await care.target()).scans == {}
    assert said(await care.delivered("push", push()))[0] is Outcome.REQUESTED


async def test_a_target_that_is_gone_is_no_clone_of_anything(care: Care) -> None:
    care.folder.rename(care.folder.with_name("elsewhere"))
    assert said(await care.delivered("push", push()))[0] is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("url", "repository"),
    [
        ("https://github.com/Octocat/Shop.git", ABOUT),
        ("https://user:word@github.com/octocat/shop", ABOUT),
        ("git@github.com:octocat/shop.git", ABOUT),
        ("ssh://git@github.com:22/octocat/shop.git/", ABOUT),
        ("github.com:octocat/shop", ABOUT),
        ("https://github.example/octocat/shop", "github.example/octocat/shop"),
        ("/srv/octocat/shop", ""),
        ("../shop", ""),
        ("file:///srv/shop", ""),
        ("https://[broken", ""),
        ("", ""),
    ],
)
def test_a_remote_names_its_repository(url: str, repository: str) -> None:
    assert named(url) == repository


async def test_a_clone_without_a_remote_has_none(care: Care) -> None:
    assert await remotes(care.folder) == {ABOUT}
    git(care.folder, "remote", "remove", "origin")
    assert await remotes(care.folder) == frozenset()
