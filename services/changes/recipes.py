"""Recipes without the parts that did harm."""

from collections.abc import Iterable
from typing import Protocol

from schemas.findings import Site
from services.engines.deterministic.recipe import Recipe


class Part(Protocol):
    """A file of a change, or a single site in it."""

    @property
    def path(self) -> str:
        """The file."""
        ...

    @property
    def site(self) -> Site | None:
        """The site; None for the whole file."""
        ...


def without(recipe: Recipe, parts: Iterable[Part], files: tuple[str, ...]) -> Recipe:
    """Return `recipe` without `parts`; `files` are all the files it may touch."""
    left_out = tuple(parts)
    whole = {part.path for part in left_out if part.site is None}
    sites = tuple(part.site for part in left_out if part.site is not None)
    allowed = recipe.only_paths if recipe.only_paths is not None else files
    return recipe.model_copy(
        update={
            "only_paths": tuple(p for p in allowed if p not in whole) if whole else recipe.only_paths,
            "leave_out": tuple(dict.fromkeys((*recipe.leave_out, *sites))),
        }
    )
