"""Tells what kind of file a change leaves at each path, and where the links of a revision lead."""

import os
from collections.abc import Mapping

from services.workspace.git.repository import Repository

LINK = "120000"


async def modes_left(repository: Repository, old: str, new: str) -> Mapping[str, str]:
    """Return the mode, as git writes it, of each path that differs between two revisions and is in `new`."""
    listed = await repository.git("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", old, new)
    told = zip(listed.records[::2], listed.records[1::2], strict=True)
    found = {path: head.split()[1] for head, path in told}
    return {path: mode for path, mode in found.items() if mode != "000000"}


async def links_of(repository: Repository, rev: str) -> Mapping[str, str]:
    """Return where each symbolic link of `rev` leads, by its path, as it is written there."""
    links = {path: one.sha for path, one in (await repository.entries(rev)).items() if one.mode == LINK}
    goals = await repository.read_blobs(links.values())
    return {path: os.fsdecode(goals[sha]) for path, sha in links.items() if sha in goals}
