"""Makes recorded changes again: from the log to layers that can be stacked."""

from collections.abc import Sequence

from pydantic import TypeAdapter

from events.improvement import IMPROVEMENT, Improvement
from schemas.findings import Site
from services.changes.recipes import MAKING, Written
from services.changes.stacking import Layer
from services.runtime.log import Log

SITES = TypeAdapter(tuple[Site, ...])


async def layer_of(book: Log, id: str, state: Improvement) -> Layer:
    """Return the implemented change of an improvement as a layer."""
    assert state.discovered is not None  # noqa: S101 -- implemented, so discovered
    assert state.discovered_at is not None  # noqa: S101 -- set together with it
    assert state.change is not None  # noqa: S101 -- the caller asks for implemented ones
    recipe = MAKING.validate_json(await book.fetch(state.change.recipe))
    patch = await book.fetch(recipe.patch) if isinstance(recipe, Written) else b""
    return Layer(id, recipe, state.discovered, state.discovered_at, patch)


async def layers_of(book: Log, ids: Sequence[str]) -> tuple[Layer, ...]:
    """Return the implemented changes of several improvements, in the order given."""
    return tuple([await layer_of(book, id, await book.state(IMPROVEMENT, id)) for id in ids])


async def sites_of(book: Log, state: Improvement) -> tuple[Site, ...]:
    """Return the places an improvement was discovered at."""
    assert state.discovered is not None  # noqa: S101 -- only discovered ones have sites
    return SITES.validate_json(await book.fetch(state.discovered.sites))
