"""A change that an engine wrote is put on any state of the source, or overlaps and is not."""

from pathlib import Path

import pytest

from events.improvement_facts import Discovered
from schemas.artefacts import ArtefactRef
from services.changes.patching import patched_tree
from services.changes.recipes import MAKING, Written
from services.changes.stacking import Layer, Stack, Stacked
from services.engines.deterministic.recipe import Recipe
from services.workspace.git.repository import GitError, Repository
from tests.git_targets import WHEN, committed

pytestmark = pytest.mark.slow
REF = ArtefactRef(sha256="0" * 64, size=1, media_type="text/x-diff", name="i.patch")


def discovered(base: str) -> Discovered:
    return Discovered(
        target="t",
        scan="s",
        base=base,
        rank=1,
        source="request",
        rule="request",
        title="Say six",
        why="It is asked for",
        category="request",
        expected=0,
        files=(),
        sites=REF,
        inputs="x",
    )


def written(base: str) -> Written:
    return Written(base=base, patch=REF, files=("a.py", "new/b.py"), summary="as asked", proofs={})


async def layer(clone: Repository, tmp_path: Path) -> Layer:
    """A change written on HEAD: the fifth line of a.py says six, and a file comes new."""
    base = await clone.head()
    files = {"a.py": b"one\ntwo\nthree\nfour\nsix\n", "new/b.py": b"b\r\n\x00\xff"}
    await clone.add_worktree(tmp_path / "editing", base)
    (tmp_path / "editing" / "new").mkdir()
    for name, content in files.items():
        (tmp_path / "editing" / name).write_bytes(content)
    tree = await clone.write_tree(tmp_path / "editing", sorted(files))
    await clone.remove_worktree(tmp_path / "editing")
    return Layer("i1", written(base), discovered(base), WHEN, await clone.patch(base, tree))


async def stacked_on(clone: Repository, tmp_path: Path, parent: str, one: Layer) -> Stacked:
    tree = tmp_path / "stack"
    if not tree.exists():
        await clone.add_worktree(tree, parent)
    return (await Stack(clone, tree).build(parent, [one]))[0]


async def test_on_its_own_base_it_is_exactly_what_was_written(clone: Repository, tmp_path: Path) -> None:
    one, base = await layer(clone, tmp_path), await clone.head()
    made = await stacked_on(clone, tmp_path, base, one)
    assert made.applied.changed_paths == ("a.py", "new/b.py")
    assert await clone.read_file(made.commit, "new/b.py") == b"b\r\n\x00\xff"
    again = await stacked_on(clone, tmp_path, base, one)
    assert (again.commit, again.tree) == (made.commit, made.tree)


async def test_on_a_source_that_went_on_elsewhere_both_stand(clone: Repository, tmp_path: Path) -> None:
    one, base = await layer(clone, tmp_path), await clone.head()
    moved = await committed(clone, tmp_path, base, {"a.py": b"ONE\ntwo\nthree\nfour\nfive\n"})
    made = await stacked_on(clone, tmp_path, moved, one)
    assert await clone.read_file(made.commit, "a.py") == b"ONE\ntwo\nthree\nfour\nsix\n"
    assert made.overlaps == ()


async def test_where_others_changed_the_same_lines_it_is_left_out_and_said(
    clone: Repository, tmp_path: Path
) -> None:
    one, base = await layer(clone, tmp_path), await clone.head()
    moved = await committed(clone, tmp_path, base, {"a.py": b"one\ntwo\nthree\nfour\nfive!\n"})
    made = await stacked_on(clone, tmp_path, moved, one)
    assert made.empty
    assert made.overlaps == ("a.py",)


async def test_where_it_stands_already_it_makes_no_commit(clone: Repository, tmp_path: Path) -> None:
    one, base = await layer(clone, tmp_path), await clone.head()
    made = await stacked_on(clone, tmp_path, base, one)
    again = await stacked_on(clone, tmp_path, made.commit, one)
    assert again.empty
    assert again.overlaps == ()


async def test_a_patch_that_does_not_fit_its_own_base_is_an_error(clone: Repository, tmp_path: Path) -> None:
    one, base = await layer(clone, tmp_path), await clone.head()
    moved = await committed(clone, tmp_path, base, {"a.py": b"quite\nanother\n"})
    with pytest.raises(GitError):
        await patched_tree(clone, moved, one.patch)


def test_how_a_change_is_made_is_read_back_as_its_kind() -> None:
    change = written("abc")
    rule = Recipe(rule="B904", packages=("toolz",))
    assert MAKING.validate_json(change.model_dump_json()) == change
    assert MAKING.validate_json(rule.model_dump_json()) == rule
