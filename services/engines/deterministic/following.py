"""Finishes what a fix leaves half done: other rules that the fix itself makes fire.

Formatting with `%` becomes `format`, which the next rule would report; a reviewer wants to see the
last step, not each. Only sites that the fix brought up are touched.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from schemas.findings import Site
from services.engines.deterministic import by_site
from services.engines.deterministic.finding import read_source
from services.engines.deterministic.recipe import Recipe
from services.engines.deterministic.ruff import Diagnostic
from services.engines.deterministic.source import Source

Look = Callable[[Recipe, Sequence[str]], Awaitable[list[Diagnostic]]]


async def finish(
    tree: Path,
    recipe: Recipe,
    then: Sequence[str],
    known: set[tuple[str, Site]],
    originals: dict[str, bytes],
    look: Look,
) -> bool:
    """Fix, rule by rule of `then`, what is not among `known` in changed files; say whether there was any."""
    worked = False
    for rule in then:
        changed = [path for path, content in originals.items() if (tree / path).read_bytes() != content]
        own = recipe.model_copy(update={"rule": rule, "only": None, "only_paths": None, "leave_out": ()})
        now = await look(own, changed)
        sources = {path: read_source(tree / path) for path in changed}
        brought_up = {site for d in now for site in _site(d, sources) if (rule, site) not in known}
        if not brought_up:
            continue

        async def again(paths: Sequence[str], own: Recipe = own) -> list[Diagnostic]:
            return await look(own, paths)

        await by_site.fix(tree, own.model_copy(update={"only": tuple(brought_up)}), now, again)
        worked = True
    return worked


def _site(said: Diagnostic, sources: dict[str, Source | None]) -> list[Site]:
    source = sources[said.filename]
    return [] if source is None else [by_site.site_of(said, source)]
