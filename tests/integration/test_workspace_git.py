"""Git as the workspace uses it, on real repositories, some of them hostile."""

import os
from pathlib import Path

import pytest

from services.workspace.checkout import Workspace
from services.workspace.git.command import GitError
from services.workspace.git.repository import BranchCheckedOut, Conflict, RefMoved, Repository
from services.workspace.git.version import UnusableGit, require_git
from services.workspace.landing import foreign_remarks, refuse_unmovable
from services.workspace.target import TargetProblem, inspect_target
from tests.git_targets import ME, WHEN, commit, committed, git, make

REF = "refs/heads/aps/improved"


async def test_a_target_is_inspected_from_any_folder_inside(target):
    (target / "deep").mkdir()
    (target / "a.py").write_text("changed")
    seen = await inspect_target(target / "deep")
    assert (seen.root, seen.branch, seen.dirty) == (target, "main", True)
    assert seen.head == git(target, "rev-parse", "HEAD")
    assert len(seen.notes) == 2
    assert "lies inside" in seen.notes[0]
    assert "1 file has uncommitted changes" in seen.notes[1]


async def test_a_detached_head_and_submodules_are_said(target, tmp_path):
    inner = make(tmp_path / "inner", {"x": b"1"})
    git(target, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "mod")
    git(target, "commit", "-qm", "with a submodule")
    git(target, "checkout", "-q", "--detach")
    seen = await inspect_target(target)
    assert seen.branch is None
    assert not seen.dirty
    assert "detached" in seen.notes[0]
    assert "mod" in seen.notes[1]


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda folder: folder, "does not exist"),
        (lambda folder: folder.mkdir(), "not a git repository"),
        (lambda folder: (folder.mkdir(), git(folder, "init", "-q")), "no commits"),
        (lambda folder: (folder.mkdir(), git(folder, "init", "-q", "--bare")), "bare repository"),
        (lambda folder: (folder / ".git").mkdir(parents=True), "not a repository"),
    ],
)
async def test_what_cannot_be_improved_says_why(tmp_path, prepare, says):
    prepare(tmp_path / "t")
    with pytest.raises(TargetProblem, match=says):
        await inspect_target(tmp_path / "t")


async def test_a_clone_has_history_and_tags_and_needs_the_source_no_more(tmp_path, target):
    git(target, "tag", "-a", "v1.2", "-m", "release")
    commit(target, {"b.py": b"2"})
    clone = Repository(tmp_path / "c.git")
    head = await clone.clone_from(target)
    assert head == git(target, "rev-parse", "HEAD")
    target.rename(tmp_path / "gone")
    assert [info.message.strip() for info in await clone.log(head)] == ["one", "one"]
    assert await clone.nearest_tag(head) == "v1.2"
    assert await clone.read_file(head, "ü.txt") == b"x"
    assert git(clone.path, "fsck", "--full") == ""


async def test_a_shallow_target_can_be_cloned(tmp_path, target):
    commit(target, {"b.py": b"2"})
    git(tmp_path, "clone", "-q", "--depth=1", target.as_uri(), str(tmp_path / "shallow"))
    clone = Repository(tmp_path / "c.git")
    assert len(await clone.log(await clone.clone_from(tmp_path / "shallow"))) == 1


def partial(target, folder, *options):
    """Clone a target without its older files."""
    git(target, "config", "uploadpack.allowFilter", "true")
    git(folder.parent, "clone", "-q", "--filter=blob:none", *options, target.as_uri(), str(folder))
    return folder


async def test_a_partial_clone_gives_the_files_it_has_and_says_what_it_lacks(tmp_path, target):
    commit(target, {"ü.txt": b"newer"}, "two")
    source = partial(target, tmp_path / "partial")
    target.rename(tmp_path / "gone")
    seen = await inspect_target(source)
    assert [note for note in seen.notes if "partial clone" in note]
    clone = Repository(tmp_path / "c.git")
    head = await clone.clone_from(source)
    assert await clone.clone_from(source) == head == seen.head
    assert await clone.read_file(head, "ü.txt") == b"newer"
    assert len(await clone.log(head)) == 1
    made = await committed(clone, tmp_path, head, {"a.py": b"changed\n"})
    await clone.push_ref(source, made, REF, None)
    assert await clone.clone_from(source, made) == made
    assert [info.commit for info in await clone.log(made)] == [made, head]


async def test_a_partial_clone_without_the_files_at_head_names_the_cure(tmp_path, target):
    source = partial(target, tmp_path / "partial", "--no-checkout")
    with pytest.raises(TargetProblem, match="git fetch --refetch --no-filter"):
        await inspect_target(source)
    git(source, "fetch", "-q", "--refetch", "--no-filter")
    assert (await inspect_target(source)).head == git(target, "rev-parse", "HEAD")


async def test_a_repository_of_sha256_objects_is_refused(tmp_path):
    git(tmp_path, "init", "-q", "--object-format=sha256", "one")
    with pytest.raises(TargetProblem, match="uses SHA-256 objects"):
        await inspect_target(tmp_path / "one")


@pytest.mark.parametrize("lost", ["HEAD", "HEAD^{tree}", "HEAD:ü.txt", "HEAD~:ü.txt"])
async def test_a_damaged_repository_is_told_from_an_empty_one(tmp_path, target, lost):
    commit(target, {"ü.txt": b"newer"}, "two")
    name = git(target, "rev-parse", lost)
    (target / ".git" / "objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(TargetProblem, match="`git fsck` there names what is damaged"):
        await Repository(tmp_path / "c.git").clone_from((await inspect_target(target)).root)


async def test_the_same_arguments_give_the_same_commit(clone, tmp_path, target):
    base = await clone.head()
    first = await committed(clone, tmp_path, base, {"a.py": b"changed\n"}, "Say so\n\nTrailer: yes")
    again = Repository(tmp_path / "again.git")
    await again.clone_from(target)
    assert first == await committed(again, tmp_path, base, {"a.py": b"changed\n"}, "Say so\n\nTrailer: yes")
    (info, _) = await clone.log(first)
    assert (info.author, info.when, info.parents) == (ME, WHEN, (base,))
    assert await clone.changed_paths(base, first) == ("a.py",)


async def test_a_patch_applies_exactly_even_to_files_that_are_not_utf8(clone, tmp_path, target):
    base = await clone.resolve("base")
    tip = await committed(clone, tmp_path, base, {"latin.py": b"# caf\xe9\r\n", "a.py": b"one\r\ntwo\n"})
    (tmp_path / "p").write_bytes(await clone.patch(base, tip))
    git(target, "apply", "--index", str(tmp_path / "p"))
    assert git(target, "write-tree") == await clone.tree(tip)
    assert "caf\ufffd" in await clone.diff(base, tip)


async def test_writing_a_tree_takes_tracked_changes_or_exactly_the_named_paths(clone, tmp_path):
    base = await clone.resolve("base")
    worktree = tmp_path / "w"
    await clone.add_worktree(worktree, base)
    (worktree / "a.py").write_text("new")
    (worktree / "stray.py").write_text("stray")
    (worktree / "ü.txt").unlink()
    assert await clone.changed_paths(base, await clone.write_tree(worktree)) == ("a.py", "ü.txt")
    await clone.reset_worktree(worktree, base)
    (worktree / "a.py").write_text("new")
    (worktree / "stray.py").write_text("stray")
    (worktree / "ü.txt").unlink()
    named = await clone.write_tree(worktree, ["stray.py", "ü.txt"])
    assert await clone.changed_paths(base, named) == ("stray.py", "ü.txt")


async def test_a_second_tree_of_a_work_tree_stands_on_the_first(clone, tmp_path):
    base = await clone.resolve("base")
    worktree = tmp_path / "w"
    await clone.add_worktree(worktree, base)
    (worktree / "a.py").write_text("new")
    first = await clone.write_tree(worktree, ["a.py"])
    (worktree / "ü.txt").unlink()
    second = await clone.write_tree(worktree, ["ü.txt"])
    assert await clone.changed_paths(first, second) == ("ü.txt",)
    assert await clone.changed_paths(base, second) == ("a.py", "ü.txt")


async def test_bytes_are_checked_out_as_committed_whatever_the_attributes_ask(tmp_path, target):
    raw = {
        ".gitattributes": b"* text=auto eol=crlf ident\nx.py filter=evil working-tree-encoding=UTF-16\n",
        "lf.py": b"a\nb\n",
        "id.py": b"$Id$\n",
    }
    for name, content in raw.items():
        (target / name).write_bytes(content)
    git(target, "add", "-A")
    git(target, "commit", "-qm", "attributes")
    clone = Repository(tmp_path / "c.git")
    commit_id = await clone.clone_from(target)
    await clone.add_worktree(tmp_path / "w", commit_id)
    assert {name: (tmp_path / "w" / name).read_bytes() for name in raw} == raw
    assert await clone.write_tree(tmp_path / "w") == await clone.tree(commit_id)


async def test_a_change_in_the_middle_is_reverted_and_an_overlap_is_named(clone, tmp_path):
    base = await clone.resolve("base")
    text = b"one\ntwo\nthree\nfour\nfive\n"
    first = await committed(clone, tmp_path, base, {"a.py": text.replace(b"one", b"ONE")})
    second = await committed(
        clone, tmp_path, first, {"a.py": text.replace(b"one", b"1").replace(b"five", b"5")}
    )
    third = await committed(clone, tmp_path, second, {"new.py": b"n"})
    assert await clone.revert_tree(third, first) == Conflict(("a.py",))
    without = await clone.revert_tree(third, second)
    assert isinstance(without, str)
    assert await clone.changed_paths(first, without) == ("new.py",)


async def test_a_push_moves_one_branch_and_nothing_else(clone, tmp_path, target):
    base = await clone.resolve("base")
    tip = await committed(clone, tmp_path, base, {"a.py": b"better\n"})
    (target / "a.py").write_text("work in progress")
    before = (git(target, "status", "--porcelain"), (target / ".git/HEAD").read_text())
    index = (target / ".git/index").read_bytes()
    await clone.push_ref(target, tip, REF, None)
    await clone.push_ref(target, tip, REF, None)
    assert git(target, "rev-parse", REF) == tip
    assert (git(target, "status", "--porcelain"), (target / ".git/HEAD").read_text()) == before
    assert (target / ".git/index").read_bytes() == index
    assert (target / "a.py").read_text() == "work in progress"
    await clone.delete_ref(target, REF, tip)
    assert await Repository(target).ref(REF) is None


async def test_a_push_needs_the_ref_where_it_was_believed_to_be(clone, tmp_path, target):
    base = await clone.resolve("base")
    tip = await committed(clone, tmp_path, base, {"a.py": b"better\n"})
    git(target, "branch", "aps/improved")
    with pytest.raises(RefMoved, match="expected at no commit"):
        await clone.push_ref(target, tip, REF, None)
    await clone.push_ref(target, tip, REF, base)
    with pytest.raises(RefMoved):
        await clone.delete_ref(target, REF, base)


async def test_a_checked_out_branch_is_never_moved(clone, tmp_path, target):
    base = await clone.resolve("base")
    tip = await committed(clone, tmp_path, base, {"a.py": b"better\n"})
    git(target, "worktree", "add", "-q", "-b", "aps/improved", str(tmp_path / "elsewhere"))
    with pytest.raises(BranchCheckedOut, match=r"aps/improved is checked out in .*elsewhere"):
        await clone.push_ref(target, tip, REF, base)
    assert git(target, "rev-parse", REF) == base


async def test_a_branch_that_could_not_be_moved_at_the_end_is_told_at_the_start(tmp_path, target):
    await refuse_unmovable(target, REF)
    git(target, "branch", "aps")
    with pytest.raises(TargetProblem, match=r"leaves no room .*git branch -m aps OTHER"):
        await refuse_unmovable(target, REF)
    git(target, "branch", "-m", "aps", "other")
    git(target, "worktree", "add", "-q", "-b", "aps/improved", str(tmp_path / "side"))
    with pytest.raises(BranchCheckedOut, match="is checked out in"):
        await refuse_unmovable(target, REF)


async def test_a_target_that_may_not_be_written_is_told_at_the_start(target):
    folders = [target / ".git", *(path for path in (target / ".git").rglob("*") if path.is_dir())]
    for path in (target, *target.rglob("*")):
        os.lchown(path, *((65534, 65534) if os.geteuid() == 0 else (-1, -1)))
    for folder in folders:
        folder.chmod(0o555)
    try:
        with pytest.raises(TargetProblem, match="cannot be written"):
            await refuse_unmovable(target, REF)
    finally:
        for folder in folders:
            folder.chmod(0o755)


async def test_commits_of_a_person_on_the_branch_are_told_and_never_lost(target):
    base = git(target, "rev-parse", "HEAD")
    git(target, "checkout", "-q", "-b", "aps/improved")
    commit(target, {"b.py": b"2"}, "Ours\n\nImprovement-Id: i1\nRule: F401")
    assert await foreign_remarks(target, REF, base) == ()
    commit(target, {"c.py": b"3"}, "Mine")
    (said,) = await foreign_remarks(target, REF, base)
    assert "1 commit that no improvement made" in said
    assert "Mine" in said
    git(target, "checkout", "-q", "main")
    commit(target, {"d.py": b"4"}, "Further")
    with pytest.raises(TargetProblem, match="would be lost"):
        await foreign_remarks(target, REF, git(target, "rev-parse", "HEAD"))


async def test_a_failing_command_says_what_git_said(clone):
    with pytest.raises(GitError) as caught:
        await clone.resolve("no-such-rev")
    assert caught.value.exit_code == 128
    assert "no-such-rev" in str(caught.value)


async def test_a_name_that_looks_like_an_option_is_only_a_name(clone):
    with pytest.raises(GitError):
        await clone.resolve("--git-dir")


async def test_an_old_git_is_refused_in_one_sentence(tmp_path, monkeypatch):
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.34.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnusableGit, match=r"^git 2\.34\.1 .* too old: install git 2\.38 or newer$"):
        await require_git()


async def test_what_a_killed_git_left_does_not_stop_the_next_one(clone, tmp_path, target):
    workspace, base = Workspace(tmp_path / "home"), await clone.resolve("base")
    unfinished = clone.path / "worktrees" / "unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "locked").write_text("initializing")
    (unfinished / "commondir").write_text("")
    for name in ("config.lock", "packed-refs.lock", "refs/heads/base.lock"):
        (clone.path / name).write_text("")
    async with workspace.worktree(clone, "qa", base, keep=True) as tree:
        pass
    for record in (clone.path / "worktrees").iterdir():
        (record / "index.lock").write_text("")
    async with workspace.worktree(clone, "qa", base) as tree:
        assert (tree / "a.py").exists()
    commit(target, {"b.py": b"2"})
    assert await clone.clone_from(target) == git(target, "rev-parse", "HEAD")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can meet a repository of another user")
async def test_a_repository_of_another_user_is_read_and_written_as_theirs(clone, tmp_path, target):
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    base = await clone.resolve("base")
    for place, folders, files in os.walk(target):
        for name in (".", *folders, *files):
            os.lchown(Path(place) / name, 1234, 1234)
    assert (await inspect_target(target)).head == base
    tip = await committed(clone, tmp_path, base, {"a.py": b"better\n"})
    await clone.push_ref(target, tip, REF, None)
    owners = {path.lstat().st_uid for path in target.rglob("*")}
    assert owners == {1234}
