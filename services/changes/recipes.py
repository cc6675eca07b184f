"""Changes as data: what has to be known to make a change again on any state of the source.

A rule's fix is made again by its `Recipe`; what an engine wrote is the patch itself.
"""

from collections.abc import Iterable
from typing import Literal, Protocol

from pydantic import TypeAdapter

from schemas.artefacts import ArtefactRef
from schemas.base import Frozen
from schemas.findings import Site
from services.engines.deterministic.recipe import Recipe


class Written(Frozen):
    """A change that an engine wrote on `base`. It stands or falls as a whole.

    `proofs` names for each behaviour that was asked for the tests that show it: they fail without the
    change and pass with it. `summary` is the writer's own account.
    """

    kind: Literal["written"] = "written"
    base: str
    patch: ArtefactRef
    files: tuple[str, ...]
    summary: str
    proofs: dict[str, tuple[str, ...]]


Making = Recipe | Written
MAKING: TypeAdapter[Making] = TypeAdapter(Recipe | Written)


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
