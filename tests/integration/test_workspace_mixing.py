"""Two revisions are mixed file by file, and no link of either leads a byte anywhere."""

from pathlib import Path

import pytest

from services.workspace.git.mixing import mixed, mixed_tree
from services.workspace.git.repository import Repository
from tests.acceptance.targets import commit, git, write


async def contents(repository: Repository, rev: str) -> dict[str, bytes]:
    return {path: await repository.read_file(rev, path) for path in await repository.entries(rev)}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody else's, with one file."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "test_a.py").write_text("theirs")
    return folder


async def revisions(tmp_path: Path, outside: Path) -> tuple[Repository, str, str]:
    """One revision in which tests are links that lead outside, and one in which they are files."""
    target = tmp_path / "target"
    write(target, {"a.py": b"1"})
    git(target, "init", "--quiet")
    (target / "tests").symlink_to(outside)
    (target / "test_b.py").symlink_to(outside / "test_a.py")
    commit(target)
    linked = git(target, "rev-parse", "HEAD")
    (target / "tests").unlink()
    (target / "test_b.py").unlink()
    write(target, {"tests/test_a.py": b"2", "test_b.py": b"3", "a.py": b"4"})
    commit(target)
    clone = Repository(tmp_path / "c.git")
    return clone, linked, await clone.clone_from(target)


async def test_files_take_the_place_of_links_and_nothing_outside_is_written(
    tmp_path: Path, outside: Path
) -> None:
    clone, linked, filed = await revisions(tmp_path, outside)
    made = await mixed(clone, linked, filed, ("tests/test_a.py", "test_b.py"))
    assert await contents(clone, made) == {"a.py": b"1", "tests/test_a.py": b"2", "test_b.py": b"3"}
    assert (outside / "test_a.py").read_text() == "theirs"


async def test_links_take_the_place_of_files_again(tmp_path: Path, outside: Path) -> None:
    clone, linked, filed = await revisions(tmp_path, outside)
    made = await mixed_tree(clone, filed, linked, ("tests", "tests/test_a.py", "test_b.py"))
    assert (await clone.entries(made))["tests"].mode == "120000"
    assert await mixed_tree(clone, filed, linked, ("a.py", "tests", "tests/test_a.py", "test_b.py")) == (
        await clone.tree(linked)
    )


async def test_what_the_source_lacks_is_gone_and_the_same_mix_is_the_same_commit(
    tmp_path: Path, outside: Path
) -> None:
    clone, linked, filed = await revisions(tmp_path, outside)
    first = await mixed(clone, filed, linked, ("tests/test_a.py",))
    assert await contents(clone, first) == {"a.py": b"4", "test_b.py": b"3"}
    assert await mixed(clone, filed, linked, ("tests/test_a.py",)) == first
    assert await mixed_tree(clone, filed, linked, ()) == await clone.tree(filed)
