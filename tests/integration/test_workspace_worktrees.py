"""Work trees of one clone: clean at each entry, one holder each, nothing left of them."""

import asyncio

import pytest

from services.workspace.checkout import Workspace, WorktreeBusy
from services.workspace.locks import give_up, try_lock
from tests.git_targets import git, make


async def test_a_work_tree_is_clean_each_time_and_after_a_crash(clone, tmp_path):
    workspace, base = Workspace(tmp_path / "home"), await clone.resolve("base")
    async with workspace.worktree(clone, "qa", base, keep=True) as tree:
        (tree / "a.py").write_text("dirt")
        (tree / "new").mkdir()
        (tree / "new" / "file").write_text("dirt")
        (tree / "ü.txt").unlink()
    async with workspace.worktree(clone, "qa", base, keep=True) as again:
        assert again == tree
        assert sorted(path.name for path in again.iterdir()) == [".git", "a.py", "ü.txt"]
        assert (again / "a.py").read_bytes().startswith(b"one\n")
    (tree / ".git").unlink()
    for record in (clone.path / "worktrees").iterdir():
        (record / "gitdir").write_text("nonsense")
    async with workspace.worktree(clone, "qa", base) as again:
        assert sorted(path.name for path in again.iterdir()) == [".git", "a.py", "ü.txt"]
    assert not again.exists()


async def test_a_work_tree_in_use_is_refused_to_a_second_asker(clone, tmp_path):
    workspace, base = Workspace(tmp_path / "home"), await clone.resolve("base")
    async with workspace.worktree(clone, "qa", base):
        with pytest.raises(WorktreeBusy, match="in use"):
            async with workspace.worktree(clone, "qa", base):
                pass
        async with workspace.worktree(clone, "other", base):
            pass
    async with workspace.worktree(clone, "qa", base):
        pass


async def test_a_work_tree_leaves_no_lock_behind_and_a_removed_lock_holds_nobody_out(clone, tmp_path):
    workspace = Workspace(tmp_path / "data")
    async with workspace.worktree(clone, "one", await clone.head()) as folder:
        assert folder.with_name(f"{folder.name}.lock").exists()
    assert list(folder.parent.iterdir()) == []


def test_who_opened_a_lock_that_was_removed_meanwhile_does_not_hold_it(tmp_path):
    path = tmp_path / "a.lock"
    first = try_lock(path)
    path.unlink()
    second = try_lock(path)
    assert second is not None
    give_up(first, path)
    assert try_lock(path) is None, "the file of the living holder was left alone"
    give_up(second, path)
    assert not path.exists()


async def test_many_work_trees_are_made_at_once(clone, tmp_path):
    workspace, base = Workspace(tmp_path / "home"), await clone.resolve("base")

    async def one(number):
        async with workspace.worktree(clone, f"w{number}", base) as tree:
            return (tree / "a.py").exists()

    assert await asyncio.gather(*(one(number) for number in range(8))) == [True] * 8


async def test_a_repository_that_a_crash_left_in_a_submodule_is_gone(clone, tmp_path, target):
    inner = make(tmp_path / "inner", {"a.py": b"1"})
    git(target, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "vendor")
    git(target, "commit", "-q", "-m", "submodule")
    base = await clone.clone_from(target)
    workspace = Workspace(tmp_path / "data")
    async with workspace.worktree(clone, "w", base, keep=True) as tree:
        make(tree / "vendor", {"left.py": b"1"})
    async with workspace.worktree(clone, "w", base) as tree:
        assert list((tree / "vendor").iterdir()) == []
