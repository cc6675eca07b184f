"""A change is written on the source alone, not on what an engine left that was asked before in vain."""

from pathlib import Path

import pytest

from events.improvement import Improvement
from schemas.engine import FailureKind
from services.asking.consulting import Consultant
from services.changes.brief import Brief
from services.developer.writing import Account, Proof, draft
from services.engines.choosing import Wanted
from services.engines.port import Bounds, Failed, Task
from services.engines.scripted import Answering, ScriptedEngine
from services.workspace.checkout import Workspace
from services.workspace.git.repository import Repository
from tests import projection_facts as f
from tests.asking_example import BECAUSE, PRICE, Time, asker, book_at, failing

pytestmark = pytest.mark.slow

DONE = Account(
    summary="as asked", proofs=(Proof(behaviour="it says six", tests=("tests/test_a.py::test_six",)),)
)


async def spoiling(task: Task[Account]) -> Failed:
    """Leave changes in tracked files, new ones, and a repository of its own; then be denied a tool."""
    tree = task.worktree
    assert tree is not None
    (tree / "a.py").write_text("spoilt\n", "utf-8")
    (tree / "new.py").write_text("left behind\n", "utf-8")
    await Repository(tree / "vendor" / ".git").git("init", "--quiet", str(tree / "vendor"))
    return failing(FailureKind.TOOL_DENIED, "it asked for what it may not do")


async def test_the_next_engine_begins_on_the_source_as_it_is(clone: Repository, tmp_path: Path) -> None:
    base = await clone.head()
    state = Improvement(discovered=f.discovered(base=base), discovered_at=f.START)
    first = ScriptedEngine(spoiling, name="first")
    second = ScriptedEngine(Answering(DONE, files={"b.py": "six\n"}), name="second")
    consultant = Consultant(
        asker(await book_at(Time())),
        "developer",
        {"first": first, "second": second},
        (Wanted("", "first", ""), Wanted("", "second", "")),
        Bounds(cost_micros=PRICE),
    )
    told = Brief(title="t", behaviours=("it says six",), plan="", bug_reports=())
    async with Workspace(tmp_path / "home").worktree(clone, "i1-write", base) as tree:
        made = await draft(consultant, clone, tree, "i1", state, told, BECAUSE)
    assert (made.asked.engine, made.files) == ("second", ("b.py",))
