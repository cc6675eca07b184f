"""Applies a patch to a revision without a work tree."""

import tempfile
from pathlib import Path

from services.workspace.git.repository import Repository


async def patched_tree(repository: Repository, rev: str, patch: bytes) -> str:
    """Return the tree of `rev` with what `Repository.patch` gave applied.

    Raises `GitError` where the patch does not fit exactly.
    """
    with tempfile.TemporaryDirectory(prefix="aps-index-") as scratch:
        env = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        await repository.git("read-tree", rev, env=env)
        await repository.git("apply", "--cached", "--whitespace=nowarn", "-", stdin=patch, env=env)
        return (await repository.git("write-tree", env=env)).text
