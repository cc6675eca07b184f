"""Clones are made again when they are needed: a data folder that has the log alone can go on."""

import shutil
from typing import cast

import pytest

from events.target import TARGET, Registered
from schemas.risk import RiskClass
from services.runtime.settings import load
from services.runtime.workbench import Workbench
from services.sandbox.port import Limits
from services.sandbox.unsandboxed import Unsandboxed
from services.workspace.checkout import Workspace
from services.workspace.target import TargetProblem
from tests.asking_example import BECAUSE, Time, book_at
from tests.git_targets import commit, git

ID = "shop-1"


@pytest.fixture
async def bench(tmp_path, target):
    """A workbench whose data folder holds no clone of the registered target."""
    book, home = await book_at(Time()), tmp_path / "home"
    home.mkdir()
    known = Registered(path=str(target), title="shop", origin=str(target))
    await book.record(TARGET, ID, known, cause=BECAUSE)
    settings = load({"APS_HOME": str(home)})
    limits = cast("Limits", None)  # nothing is run
    return Workbench(book, "qa-1", 60.0, Workspace(home), Unsandboxed(), limits, RiskClass.LOW, settings)


async def test_a_work_tree_of_a_target_without_a_clone_is_given(bench, target):
    tip = git(target, "rev-parse", "HEAD")
    async with bench.worktree(ID, "measure", tip) as tree:
        assert git(tree, "rev-parse", "HEAD") == tip
    shutil.rmtree(target)
    async with bench.worktree(ID, "measure", tip):
        pass  # the clone is whole


async def test_a_commit_that_came_after_the_clone_is_brought(bench, target):
    await bench.clone(ID, git(target, "rev-parse", "HEAD"))
    commit(target, {"later.py": b"x = 1\n"}, "later")
    tip = git(target, "rev-parse", "HEAD")
    async with bench.worktree(ID, "measure", tip) as tree:
        assert (tree / "later.py").exists()


async def test_a_target_that_is_gone_is_said_in_words(bench, target):
    tip = git(target, "rev-parse", "HEAD")
    with pytest.raises(TargetProblem, match="has no commit 0000"):
        await bench.clone(ID, "0" * 40)
    shutil.rmtree(target)
    with pytest.raises(TargetProblem, match="is gone: put the repository back"):
        async with bench.worktree(ID, "measure", tip):
            pytest.fail("there is nothing to work in")
