"""Stacks changes: each recipe applied on the tip of the one before, one commit each.

Rules
1. The same base and layers give the same commits: identity and time come from the layer.
2. A layer that changes nothing makes no commit.
3. A commit once made is found again, not made again (`Stack` remembers by parent and layer).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from events.improvement_facts import Discovered
from services.changes.message import AUTHOR, commit_message
from services.engines.deterministic.fixing import Applied, apply
from services.engines.deterministic.recipe import Recipe
from services.workspace.git import Repository


@dataclass(frozen=True)
class Layer:
    """One improvement's change as it should stand in a stack; `when` dates its commit."""

    improvement: str
    recipe: Recipe
    discovered: Discovered
    when: datetime


@dataclass(frozen=True)
class Stacked:
    """A layer as it stands: `commit` equals `parent` when the layer changed nothing there."""

    layer: Layer
    parent: str
    commit: str
    tree: str
    applied: Applied

    @property
    def empty(self) -> bool:
        """Whether the layer changed nothing on its parent."""
        return self.commit == self.parent


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
        if self._at != parent:
            await self._repository.reset_worktree(self._worktree, parent)
        self._at = None  # unknown until the change is whole
        applied = await apply(self._worktree, layer.recipe)
        if not applied.changed_paths:
            self._at = parent
            return Stacked(layer, parent, parent, await self._repository.tree(parent), applied)
        tree = await self._repository.write_tree(self._worktree, applied.changed_paths)
        commit = await self._repository.commit_tree(
            tree,
            (parent,),
            commit_message(layer.improvement, layer.discovered, applied.fixed),
            AUTHOR,
            layer.when,
        )
        self._at = commit
        return Stacked(layer, parent, commit, tree, applied)
