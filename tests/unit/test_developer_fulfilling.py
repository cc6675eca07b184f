"""A request that is given up says what its last refusal was for."""

from pathlib import Path

import pytest

from events.improvement import IMPROVEMENT, Improvement
from events.lease import WorkClaimed
from schemas.improvement import Status
from schemas.risk import RiskClass
from services.asking.leaving import PATIENCE
from services.developer.fulfilling import fulfil, refused_for
from services.runtime.log import Log
from services.runtime.settings import load
from services.runtime.workbench import Workbench
from services.sandbox.port import Limits
from services.sandbox.unsandboxed import Unsandboxed
from services.workspace.checkout import Workspace
from tests import projection_facts as f
from tests.asking_example import BECAUSE, Time, book_at

ID = "imp-1"
WORDS = "secrets_absent: API key in tiny/words.py:3"
STUCK = "no progress: 2 attempts failed in the same way"


async def claimed(book: Log, work: str) -> int:
    fact = WorkClaimed(agent="someone@one", work=work, lease_until=book.clock() + PATIENCE)
    return (await book.record(IMPROVEMENT, ID, fact, cause=BECAUSE)).version


async def refused_twice(book: Log) -> None:
    """A request whose change was refused twice, for the same."""
    request = f.discovered(source="request", rule="request", files=())
    await book.record(IMPROVEMENT, ID, request, cause=BECAUSE)
    await book.record(IMPROVEMENT, ID, f.specified(await claimed(book, "requirements")), cause=BECAUSE)
    await book.record(IMPROVEMENT, ID, f.designed(await claimed(book, "architecture")), cause=BECAUSE)
    report = await book.keep("# It does harm\n", "imp-1.bug.md", "text/markdown")
    for attempt in (1, 2):
        written = f.implemented(await claimed(book, "implementation"), attempt)
        await book.record(IMPROVEMENT, ID, written, cause=BECAUSE)
        told = {"attempt": attempt, "reason": WORDS, "bug_report": report}
        await book.record(IMPROVEMENT, ID, f.refuted().model_copy(update=told), cause=BECAUSE)


async def test_what_makes_no_progress_is_given_up_with_the_words_of_the_gate(tmp_path: Path) -> None:
    book = await book_at(Time())
    await refused_twice(book)
    bench = Workbench(
        book=book,
        actor="developer@two",
        lease_seconds=5,
        workspace=Workspace(tmp_path),
        sandbox=Unsandboxed(),
        limits=Limits(wall_seconds=5),
        autonomy=RiskClass.LOW,
        settings=load({"APS_HOME": str(tmp_path)}),
    )
    await fulfil(bench, None, ID, BECAUSE)
    state = await book.state(IMPROVEMENT, ID)
    assert (state.status, state.reason) == (Status.ABANDONED, f"{STUCK}; the last refusal: {WORDS}")


@pytest.mark.parametrize("reason", ["x" * 9000, "one\nline\x1b[2J"])
async def test_whatever_the_refusal_said_is_one_short_line(reason: str) -> None:
    state = Improvement(refusals=(f.refuted(), f.refuted().model_copy(update={"reason": reason})))
    told = refused_for(STUCK, state)
    assert len(told) < 400
    assert told.isprintable()


def test_what_nobody_refused_says_no_more_than_why() -> None:
    assert refused_for("the engine changed no file: why", Improvement()) == (
        "the engine changed no file: why"
    )
