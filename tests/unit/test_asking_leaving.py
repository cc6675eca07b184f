"""A copy without an engine leaves what is asked in words to whoever has one, and ends it when nobody does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from events.improvement import IMPROVEMENT
from events.lease import WorkClaimed, WorkReleased
from events.store import Recorded
from events.target import TARGET
from schemas.improvement import Status
from schemas.risk import RiskClass
from services.architect.agent import Architect
from services.asking.leaving import PATIENCE
from services.developer.agent import Developer
from services.pm.agent import PM
from services.runtime.claims import Later
from services.runtime.consumer import Agent
from services.runtime.log import Log
from services.runtime.settings import load
from services.runtime.workbench import Workbench
from services.sandbox.port import Limits
from services.sandbox.unsandboxed import Unsandboxed
from services.workspace.checkout import Workspace
from tests import projection_facts as f
from tests.asking_example import BECAUSE, Time, book_at

ID = "imp-1"
LONG = PATIENCE.total_seconds()
STAGES = ("pm", "architect", "developer")


def agent_of(role: str, book: Log, home: Path) -> Agent:
    makers: dict[str, Callable[[Workbench], Agent]] = {
        "pm": PM,
        "architect": Architect,
        "developer": Developer,
    }
    bench = Workbench(
        book=book,
        actor=f"{role}@two",
        lease_seconds=5,
        workspace=Workspace(home),
        sandbox=Unsandboxed(),
        limits=Limits(wall_seconds=5),
        autonomy=RiskClass.LOW,
        settings=load({"APS_HOME": str(home)}),
    )
    return makers[role](bench)


async def held(book: Log, work: str) -> int:
    until = book.clock() + PATIENCE
    fact = WorkClaimed(agent="someone@one", work=work, lease_until=until)
    return (await book.record(IMPROVEMENT, ID, fact, cause=BECAUSE)).version


async def asked_of(role: str, book: Log) -> Recorded:
    """Bring a request to where `role` asks an engine; return the event that says so."""
    await book.record(
        TARGET, "toolz", f.registered(), f.scan_requested(), f.claimed(), f.scanned(), cause=BECAUSE
    )
    baseline = (await book.record(TARGET, "toolz", f.claimed(work="baseline"), cause=BECAUSE)).version
    await book.record(TARGET, "toolz", f.baseline(baseline), cause=BECAUSE)
    found = f.discovered(source="request", rule="request", files=())
    await book.record(IMPROVEMENT, ID, found, cause=BECAUSE)
    if role in ("architect", "developer"):
        claim = await held(book, "requirements")
        await book.record(IMPROVEMENT, ID, f.specified(claim), cause=BECAUSE)
    if role == "developer":
        claim = await held(book, "architecture")
        await book.record(IMPROVEMENT, ID, f.designed(claim), cause=BECAUSE)
    events, _ = await book.store.read(IMPROVEMENT.name, ID)
    return events[-1]


@pytest.mark.parametrize("role", STAGES)
async def test_a_copy_without_an_engine_leaves_a_request_to_others_and_records_nothing(
    role: str, tmp_path: Path
) -> None:
    time = Time()
    book = await book_at(time)
    event = await asked_of(role, book)
    head = await book.store.head()
    time.passes(LONG - 1)
    with pytest.raises(Later, match="no AI engine is set up here: imp-1 is left to a copy that has one"):
        await agent_of(role, book, tmp_path).react(event)
    assert await book.store.head() == head


@pytest.mark.parametrize("role", STAGES)
async def test_it_ends_plainly_once_nothing_happened_for_long_enough(role: str, tmp_path: Path) -> None:
    time = Time()
    book = await book_at(time)
    event = await asked_of(role, book)
    time.passes(LONG)
    await agent_of(role, book, tmp_path).react(event)
    state = await book.state(IMPROVEMENT, ID)
    assert state.status is Status.ABANDONED
    assert "no AI engine is set up" in state.reason


@pytest.mark.parametrize("role", STAGES)
async def test_the_wait_counts_from_when_a_copy_last_held_the_work(role: str, tmp_path: Path) -> None:
    time = Time()
    book = await book_at(time)
    event = await asked_of(role, book)
    time.passes(LONG)
    claim = await held(book, "writing")
    await book.record(IMPROVEMENT, ID, WorkReleased(claim=claim, reason="stopped"), cause=BECAUSE)
    time.passes(LONG - 1)
    agent = agent_of(role, book, tmp_path)
    with pytest.raises(Later):
        await agent.react(event)
    time.passes(1)
    await agent.react(event)
    assert (await book.state(IMPROVEMENT, ID)).status is Status.ABANDONED


async def test_in_a_fork_nothing_is_left_to_others(tmp_path: Path) -> None:
    time = Time()
    book = await book_at(time)
    event = await asked_of("pm", book)
    forked = Log(book.store, book.artefacts, time, fork="tried")
    await agent_of("pm", forked, tmp_path).react(event)
    assert (await forked.state(IMPROVEMENT, ID)).status is Status.ABANDONED
