"""Two Developers and two QA services at once: no work is done twice, and the log shows who won."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from events.target import TARGET
from services.cycle.requesting import Wish, ask, locate
from services.cycle.settling import is_settled, states_of
from services.developer.agent import Developer
from services.runtime.claims import Later
from services.runtime.ground import actor, stand
from services.runtime.role import workbench
from services.runtime.settings import load
from tests.acceptance.command import ROOT, environment, improve
from tests.acceptance.targets import repository, subjects
from tests.acceptance.watching import DEADLINE, assert_nothing_twice, events_of

pytestmark = pytest.mark.slow

DESIGNED = "architecture_designed"
PARTY = ("pm", "architect", "developer", "developer", "qa", "qa", "devops", "deployer")


@contextmanager
def service(home: Path, role: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one copy of a role as a process of its own, on the servers of the data folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"services.{role}"],
        cwd=ROOT,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


async def follow(home: Path, root: Path) -> dict[str, str]:
    """Ask for a cycle without running anything, and return every status once it is over."""
    settings = load({"APS_HOME": str(home)})
    async with stand(settings) as ground, ground.log("cli") as (_, book), asyncio.timeout(DEADLINE):
        bench = await workbench("cli", settings, book)
        place = await locate(str(root), bench.workspace, bench.sandbox)
        asked = await ask(book, place, Wish(str(root)), actor("cli"))
        async for _event in book.store.live():
            target = await book.state(TARGET, place.id)
            scan = target.scans[asked.scan]
            if await is_settled(book, target, scan):
                break
        states = await states_of(book, scan)
        return {state.discovered.rule: state.status.value for state in states.values() if state.discovered}


async def test_no_work_is_done_twice_and_the_log_shows_who_won(
    ground: Path, home: Path, fresh_home: Callable[[str], Path]
) -> None:
    alone = repository(ground / "targets" / "alone" / "tiny")
    together = repository(ground / "targets" / "together" / "tiny")
    expected = await asyncio.to_thread(improve, home, alone)
    shared = fresh_home("shared")
    with ExitStack() as running:
        copies = {role: [] for role in PARTY}
        for role in PARTY:
            copies[role].append(running.enter_context(service(shared, role)).pid)
        statuses = await follow(shared, together)
    assert statuses == expected.statuses
    assert subjects(together) == subjects(alone)
    events = await events_of(shared)
    assert_nothing_twice(events)
    actors = {e.envelope.actor for e in events if e.envelope.address.fact == "change_implemented"}
    assert {int(name.rpartition("-")[2]) for name in actors} <= set(copies["developer"])
    for event in events:
        if event.envelope.address.fact == "change_implemented":
            claimed = next(
                e
                for e in events
                if e.envelope.subject == event.envelope.subject
                and e.envelope.sequence == event.envelope.data["claim"]
            )
            assert claimed.envelope.actor == event.envelope.actor


async def test_of_two_developers_given_the_same_event_one_writes_and_one_comes_again(
    ground: Path, fresh_home: Callable[[str], Path]
) -> None:
    root = repository(ground / "targets" / "contested" / "tiny")
    home = fresh_home("contested")
    settings = load({"APS_HOME": str(home)})
    async with stand(settings) as base, base.log("cli") as (_, book), asyncio.timeout(DEADLINE):
        bench = await workbench("cli", settings, book)
        place = await locate(str(root), bench.workspace, bench.sandbox)
        with service(home, "pm"), service(home, "qa"), service(home, "architect"):
            await ask(book, place, Wish(str(root)), actor("cli"))
            async with aclosing(book.store.live()) as events:
                designed = await anext(e async for e in events if e.envelope.address.fact == DESIGNED)
        async with base.log("developer") as (_, one), base.log("developer") as (_, other):
            first = Developer(replace(await workbench("developer", settings, one), actor="developer@one"))
            second = Developer(replace(await workbench("developer", settings, other), actor="developer@two"))
            answers = await asyncio.gather(
                first.react(designed), second.react(designed), return_exceptions=True
            )
        (refused,) = [answer for answer in answers if answer is not None]
        assert isinstance(refused, Later)
        winner, loser = ("one", "two") if answers[0] is None else ("two", "one")
        assert f"is claimed by developer@{winner}" in str(refused)
        recorded, _ = await book.store.read("improvement", designed.envelope.address.id)
        by_developers = [
            (e.envelope.address.fact, e.envelope.actor) for e in recorded if "developer" in e.envelope.actor
        ]
        assert by_developers == [
            ("work_claimed", f"developer@{winner}"),
            ("change_implemented", f"developer@{winner}"),
        ]
        assert loser not in {name.partition("@")[2] for _, name in by_developers}
