"""Git as the workspace uses it, on targets that try to run programs or to lead it astray."""

import os
import subprocess

import pytest

from services.workspace.git.nested import Uncommittable
from services.workspace.git.repository import Repository
from services.workspace.target import inspect_target
from tests.git_targets import commit, committed, git, make

REF = "refs/heads/aps/improved"


def booby_trap(target, canary):
    program = f"touch '{canary}'; cat"
    for name in (
        "post-checkout", "pre-receive", "update", "post-receive", "post-update", "reference-transaction",
        "pre-commit", "post-commit", "post-index-change", "fsmonitor-watchman", "pre-push", "post-rewrite",
    ):  # fmt: skip
        hook = target / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{program} >/dev/null\n")
        hook.chmod(0o755)
    settings = {
        "core.fsmonitor": program,
        "core.sshCommand": program,
        "core.pager": program,
        "core.editor": program,
        "core.alternateRefsCommand": program,
        "diff.external": program,
        "diff.evil.textconv": program,
        "diff.evil.command": program,
        "merge.evil.driver": program,
        "filter.evil.clean": program,
        "filter.evil.smudge": program,
        "filter.evil.required": "true",
        "filter.e=v.il.clean": program,
        "filter.e=v.il.process": program,
        "uploadpack.packObjectsHook": program,
        "gpg.program": program,
        "commit.gpgSign": "true",
        "log.showSignature": "true",
        "credential.helper": f"!{program}",
        f"url.ext::sh -c {program} .insteadOf": "/",
    }
    for key, value in settings.items():
        git(target, "config", key, value)
    (target / ".git" / "info").mkdir(exist_ok=True)
    (target / ".git" / "info" / "attributes").write_text(
        "* filter=evil diff=evil merge=evil\na.py filter=e=v.il\n"
    )


async def test_nothing_a_target_configures_is_run(tmp_path, target):
    commit(target, {".gitattributes": b"*.py filter=evil diff=evil merge=evil\n"})
    canary = tmp_path / "canary"
    booby_trap(target, canary)
    (target / "a.py").write_text("changed here")
    os.utime(target / "ü.txt", (1, 1))
    seen = await inspect_target(target)
    clone = Repository(tmp_path / "c.git")
    base = await clone.clone_from(target)
    tip = await committed(clone, tmp_path, base, {"a.py": b"better\n"})
    await clone.diff(base, tip)
    await clone.revert_tree(tip, tip)
    await clone.push_ref(target, tip, REF, None)
    await clone.push_ref(target, base, REF, tip)
    await clone.delete_ref(target, REF, base)
    there = Repository(target)
    await there.diff(f"{base}^", base)
    await there.log(base)
    assert seen.dirty
    assert not canary.exists()


def test_the_traps_of_that_test_do_spring(tmp_path, target):
    canary = tmp_path / "canary"
    booby_trap(target, canary)
    os.utime(target / "ü.txt", (1, 1))
    subprocess.run(["git", "status"], cwd=target, capture_output=True, check=False)
    assert canary.exists()


async def test_a_work_tree_whose_git_file_was_altered_is_not_followed(clone, tmp_path, target):
    base = await clone.resolve("base")
    worktree = tmp_path / "w"
    await clone.add_worktree(worktree, base)
    trap = make(tmp_path / "trap", {"a.py": b"1"})
    canary = tmp_path / "canary"
    booby_trap(trap, canary)
    (worktree / ".git").write_text(f"gitdir: {trap}/.git\n")
    (worktree / "a.py").write_text("changed")
    tree = await clone.write_tree(worktree)
    assert await clone.changed_paths(base, tree) == ("a.py",)
    await clone.reset_worktree(worktree, base)
    assert not canary.exists()


def booby_trapped(folder, canary):
    """A repository whose state git cannot tell without running what it configures."""
    make(folder, {"a.py": b"1", ".gitattributes": b"* filter=evil diff=evil merge=evil\n"})
    booby_trap(folder, canary)
    (folder / "a.py").write_text("changed")
    canary.unlink(missing_ok=True)


@pytest.mark.parametrize("of_the_target", [False, True], ids=["left-there", "in-a-submodule"])
@pytest.mark.parametrize("paths", [None, (".",)], ids=["tracked", "all"])
async def test_a_repository_left_in_a_work_tree_is_refused_and_runs_nothing(
    clone, tmp_path, target, of_the_target, paths
):
    if of_the_target:
        inner = make(tmp_path / "inner", {"a.py": b"1"})
        git(target, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "vendor")
        git(target, "commit", "-q", "-m", "submodule")
    worktree, canary = tmp_path / "w", tmp_path / "canary"
    base = await clone.clone_from(target)
    await clone.add_worktree(worktree, base)
    booby_trapped(worktree / "vendor", canary)
    (worktree / "b.py").write_text("new")
    for _ in range(2):  # what the first time is a new folder is a submodule with a state the second time
        with pytest.raises(Uncommittable, match=r"a repository of its own is left at vendor/\.git$"):
            await clone.write_tree(worktree, paths)
    assert not canary.exists()
    git(worktree / "vendor", "status")
    assert canary.exists(), "the trap does not spring"


@pytest.mark.parametrize("name", [".GIT/config", "sub/.git", "sub/.Git/hooks/x", ".git.d/../deep/.git"])
async def test_what_claims_to_be_a_repository_is_refused_by_its_place(clone, tmp_path, name):
    worktree = tmp_path / "w"
    await clone.add_worktree(worktree, await clone.resolve("base"))
    (worktree / ".git.d").mkdir()
    place = worktree / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("gitdir: /nowhere\n")
    with pytest.raises(Uncommittable, match="a repository of its own is left at"):
        await clone.write_tree(worktree, (".",))
