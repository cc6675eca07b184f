"""An agent from outside writes what was asked for by the API, and it lands through every gate."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from events.catalogue import read_fact
from events.envelope import Cause
from events.fact import Fact
from events.improvement_facts import (
    Abandoned,
    ArchitectureDesigned,
    ChangeDeployed,
    ChangeImplemented,
    ChangeValidated,
)
from events.target import TARGET, Registered
from schemas.access import Role
from services.access.tokens import grant
from services.runtime.embedded.addresses import free_port as find_free_port
from services.runtime.ground import stand
from services.runtime.log import Log
from services.runtime.settings import load
from tests.acceptance.command import ROOT, environment
from tests.acceptance.conftest import Repositories
from tests.acceptance.swarm_script import SwarmApi
from tests.acceptance.targets import TINY, git
from tests.acceptance.test_request import BEHAVIOUR, PLAN, RIGHT, SOURCE, TEST, TESTED, WISH, wanted
from tests.acceptance.watching import DEADLINE

pytestmark = pytest.mark.slow

OTHERS = ("pm", "architect", "qa", "devops", "deployer", "projector", "gateway")
CAUSE = Cause(actor="cli", source="aps/test", correlation="00000000-0000-0000-0000-000000000001")
PROOFS = [{"behaviour": BEHAVIOUR, "tests": [f"{TEST}::test_joined_by_a_separator"]}]
HAND = {"title": "a hand", "role": "developer", "capabilities": ["python"]}


@contextmanager
def service(role: str, known: dict[str, str]) -> Iterator[None]:
    """Run a role as a process of its own, on the servers of the data folder."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", f"services.{role}"], cwd=ROOT, env=known, **quiet)  # type: ignore[call-overload]  # the same for all three
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


@asynccontextmanager
async def asking(url: str, token: str) -> AsyncIterator[Callable[..., Any]]:
    """Ask the gateway with a token; what is not answered yet is asked again."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def ask(method: str, path: str, body: object = None) -> Any:
            while True:
                try:
                    async with session.request(method, f"{url}{path}", json=body) as answer:
                        if answer.status not in (429, 503):
                            return answer.status, await answer.json()
                except aiohttp.ClientConnectionError:
                    pass  # it does not listen yet
                await moment()

        yield ask


async def moment() -> None:
    """Leave the machine to the services before asking again."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.2)


async def told(book: Log, *kinds: type[Fact]) -> Fact:
    """Wait for a fact of one of the kinds."""
    async for event in book.store.live():
        fact = read_fact(event.envelope)
        if isinstance(fact, kinds):
            return fact
    raise AssertionError("the log ended")


def diff(path: str, before: str, after: str) -> str:
    lines = unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"a/{path}" if before else "/dev/null",
        f"b/{path}",
    )
    return "".join(lines)


async def test_what_an_agent_from_outside_wrote_lands_through_every_gate(
    fresh_home: Callable[[str], Path], target: Repositories
) -> None:
    home, repository, port = fresh_home("outside-agent"), target(name="-outside"), find_free_port()
    api = SwarmApi(wanted(), PLAN, [])
    async with api.serving(), asyncio.timeout(DEADLINE):
        known = environment(home, APS_PORT=str(port), **api.settings)
        async with stand(load({"APS_HOME": str(home)})) as ground, ground.log("cli") as (_, book):
            first = Registered(path=str(repository), title="tiny", origin=str(repository))
            await book.record(TARGET, "tiny", first, cause=CAUSE)
            tokens = [(await grant(book, r.value, r, CAUSE)).text for r in (Role.OPERATOR, Role.AGENT)]
            with ExitStack() as running:
                for role in OTHERS:
                    running.enter_context(service(role, known))
                await _work(f"http://127.0.0.1:{port}", tokens, book)
                running.enter_context(service("developer", known))
                landed = await told(book, ChangeDeployed, Abandoned)
                assert isinstance(landed, ChangeDeployed), landed
                facts = [
                    read_fact(one.envelope) async for one in book.store.read_all(0, await book.store.head())
                ]
    assert git(repository, "show", f"aps/improved:{SOURCE}") == RIGHT.rstrip()
    (change,) = [one for one in facts if isinstance(one, ChangeImplemented)]
    (proven,) = [one for one in facts if isinstance(one, ChangeValidated)]
    assert set(change.files) == {SOURCE, TEST}
    shown = next(gate for gate in proven.gates if gate.gate == "behaviours_shown")
    assert shown.evidence == "1 behaviour shown by 1 test"


async def _work(url: str, tokens: list[str], book: Log) -> None:
    """Ask for the change as an operator, and write it as an agent."""
    operator, agent = tokens
    async with asking(url, operator) as ask, asking(url, agent) as do:
        status, asked = await ask("POST", "/api/improvements", {"target": "tiny", "text": WISH})
        assert status == 202, asked
        assert (await do("POST", "/api/agents", HAND))[0] == 201
        await told(book, ArchitectureDesigned, Abandoned)
        offered: list[dict[str, str]] = []
        while not offered:
            await moment()
            offered = (await do("GET", "/api/work"))[1]["items"]
        id = offered[0]["improvement"]
        status, claimed = await do("POST", f"/api/work/{id}/claim", {})
        assert (status, claimed["behaviours"]) == (201, [BEHAVIOUR])
        patch = diff(SOURCE, TINY[SOURCE], RIGHT) + diff(TEST, "", TESTED)
        whole = {"claim": claimed["claim"], "patch": patch, "summary": "added", "proofs": PROOFS}
        status, said = await do("POST", f"/api/work/{id}/finish", whole)
        assert status == 202, said
