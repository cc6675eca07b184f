"""Stacks changes: each made on the tip of the one before, one commit each.

Rules
1. The same base and layers give the same commits: identity and time come from the layer.
2. A layer that changes nothing makes no commit; nor does a written one that others overlap with.
3. A commit once made is found again, not made again (`Stack` remembers by parent and layer).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from events.improvement_facts import Discovered
from services.changes.message import AUTHOR, commit_message
from services.changes.patching import patched_tree
from services.changes.recipes import Making, Written
from services.engines.deterministic.fixing import Applied, apply
from services.workspace.git.repository import Conflict, Repository


@dataclass(frozen=True)
class Layer:
    """One improvement's change as it should stand in a stack; `when` dates its commit.

    `patch` is what a written change says, empty for a rule's.
    """

    improvement: str
    recipe: Making
    discovered: Discovered
    when: datetime
    patch: bytes = b""


@dataclass(frozen=True)
class Stacked:
    """A layer as it stands: `commit` equals `parent` when the layer changed nothing there.

    `overlaps` names the files in which it meets other changes and so could not be made.
    """

    layer: Layer
    parent: str
    commit: str
    tree: str
    applied: Applied
    overlaps: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether the layer changed nothing on its parent."""
        return self.commit == self.parent


NOTHING = Applied(changed_paths=(), fixed=0, fixed_sites=(), remaining=())
Made = dict[tuple[str, str], Stacked]


class Stack:
    """Builds stacks in one worktree that nobody else uses; `made` is what earlier stacks remember."""

    def __init__(self, repository: Repository, worktree: Path, made: Made | None = None) -> None:
        self._repository = repository
        self._worktree = worktree
        self._at: str | None = None
        self._made: Made = {} if made is None else made
        self._lock = asyncio.Lock()

    async def build(self, base: str, layers: Sequence[Layer]) -> tuple[Stacked, ...]:
        """Return the layers as commits on top of `base`, in order."""
        async with self._lock:
            stacked: list[Stacked] = []
            tip = base
            for layer in layers:
                stacked.append(await self._put(layer, tip))
                tip = stacked[-1].commit
            return tuple(stacked)

    async def _put(self, layer: Layer, parent: str) -> Stacked:
        key = (parent, layer.improvement + layer.recipe.model_dump_json())
        if key not in self._made:
            self._made[key] = await self._make(layer, parent)
        return self._made[key]

    async def _make(self, layer: Layer, parent: str) -> Stacked:
        if isinstance(layer.recipe, Written):
            return await self._merge(layer, layer.recipe, parent)
        if self._at != parent:
            await self._repository.reset_worktree(self._worktree, parent)
        self._at = None  # unknown until the change is whole
        applied = await apply(self._worktree, layer.recipe)
        if not applied.changed_paths:
            self._at = parent
            return Stacked(layer, parent, parent, await self._repository.tree(parent), applied)
        tree = await self._repository.write_tree(self._worktree, applied.changed_paths)
        self._at = commit = await self._commit(layer, parent, tree, applied.fixed)
        return Stacked(layer, parent, commit, tree, applied)

    async def _merge(self, layer: Layer, written: Written, parent: str) -> Stacked:
        """Put a written change on `parent`, which may have gone on since it was written."""
        repository = self._repository
        standing = await repository.tree(parent)
        theirs = await patched_tree(repository, written.base, layer.patch)
        merged = await repository.merge_trees(base=written.base, ours=parent, theirs=theirs)
        if isinstance(merged, Conflict):
            return Stacked(layer, parent, parent, standing, NOTHING, merged.paths)
        if merged == standing:
            return Stacked(layer, parent, parent, standing, NOTHING)
        commit = await self._commit(layer, parent, merged, 0)
        paths = await repository.changed_paths(parent, commit)
        return Stacked(layer, parent, commit, merged, NOTHING.model_copy(update={"changed_paths": paths}))

    async def _commit(self, layer: Layer, parent: str, tree: str, fixed: int) -> str:
        message = commit_message(layer.improvement, layer.discovered, fixed)
        return await self._repository.commit_tree(tree, (parent,), message, AUTHOR, layer.when)
