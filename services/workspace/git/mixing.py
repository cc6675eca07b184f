"""Mixes two revisions: some files as in the one, all others as in the other, with no work tree touched.

Nothing is written by path, so that no link that either revision holds leads anywhere.
"""

import os
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from services.workspace.git.repository import Identity, Repository

_NOBODY = Identity("aps", "aps@localhost")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # the same files on the same source are the same commit


async def mixed_tree(repository: Repository, onto: str, source: str, paths: Iterable[str]) -> str:
    """Return the tree of `onto` with `paths` as they are in `source`; those it lacks are gone.

    What stands in the way of a path, a file or link where it needs a folder, gives way.
    """
    there = await repository.entries(source)
    wanted = sorted(set(paths))
    lines = [f"0 {'0' * 40}\t{path}" for path in wanted]
    lines += [f"{there[path].mode} {there[path].sha}\t{path}" for path in wanted if path in there]
    with tempfile.TemporaryDirectory(prefix="aps-index-") as scratch:
        env = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        await repository.git("read-tree", onto, env=env)
        listed = b"".join(os.fsencode(line) + b"\0" for line in lines)
        await repository.git("update-index", "-z", "--replace", "--index-info", stdin=listed, env=env)
        return (await repository.git("write-tree", env=env)).text


async def with_file(repository: Repository, onto: str, path: str, content: bytes) -> str:
    """Return a commit on `onto` with one file more, or with another content of it."""
    sha = (await repository.git("hash-object", "-w", "--stdin", stdin=content)).text
    with tempfile.TemporaryDirectory(prefix="aps-index-") as scratch:
        env = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        await repository.git("read-tree", onto, env=env)
        line = os.fsencode(f"100644 {sha}\t{path}") + b"\0"
        await repository.git("update-index", "-z", "--replace", "--index-info", stdin=line, env=env)
        tree = (await repository.git("write-tree", env=env)).text
    return await repository.commit_tree(tree, (onto,), "A file beside", _NOBODY, _EPOCH)


async def mixed(repository: Repository, onto: str, source: str, paths: Iterable[str]) -> str:
    """Return a commit on `onto` of what `mixed_tree` gives."""
    tree = await mixed_tree(repository, onto, source, paths)
    return await repository.commit_tree(tree, (onto,), "Files of another revision", _NOBODY, _EPOCH)
