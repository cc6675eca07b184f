"""Stacks fixes: applies recipes one upon another, so that each stands on what the ones before left."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.engines.deterministic.fixing import Applied, apply
from services.engines.deterministic.recipe import Recipe


@dataclass(frozen=True)
class Layer:
    """One improvement in a stack; `key` is whatever the caller knows it by."""

    key: str
    recipe: Recipe


async def build(tree: Path, layers: Sequence[Layer]) -> AsyncIterator[tuple[int, Applied]]:
    """Apply `layers` in order to `tree`, in place, yielding the index and what it changed.

    The caller commits between two layers; `changed_paths` is empty when nothing was left to do. The
    same tree and layers give the same bytes.
    """
    for index, layer in enumerate(layers):
        yield index, await apply(tree, layer.recipe)
