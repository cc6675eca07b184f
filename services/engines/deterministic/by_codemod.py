"""Fixes the permitted sites of a rule by a codemod of our own."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from schemas.findings import Site
from services.engines.deterministic import codemods
from services.engines.deterministic.by_site import Fixed, Look, site_of
from services.engines.deterministic.codemods.codemod import Codemod, Position
from services.engines.deterministic.finding import read_source
from services.engines.deterministic.recipe import Recipe, permitted
from services.engines.deterministic.ruff import Diagnostic
from services.engines.deterministic.source import Source


async def fix(tree: Path, recipe: Recipe, before: Sequence[Diagnostic], look: Look) -> Fixed:
    """Rewrite each file once; what the codemod leaves alone is refused with its reason."""
    codemod = codemods.for_rule(recipe.rule)
    if codemod is None:
        raise LookupError(recipe.rule)
    refused: dict[Site, str] = {}
    files = []
    for path, group in groupby(sorted(before, key=lambda d: d.filename), key=lambda d: d.filename):
        files.append(path)
        source = read_source(tree / path)
        if source is None:
            continue
        text, said_no = await asyncio.to_thread(_rewrite, codemod, source, list(group), recipe)
        refused |= said_no
        if text != source.text:
            (tree / path).write_bytes(Source(text, source.bom).encode())
    return Fixed(diagnostics=tuple(await look(files)), refused=refused)


def _rewrite(
    codemod: Codemod, source: Source, diagnostics: Sequence[Diagnostic], recipe: Recipe
) -> tuple[str, dict[Site, str]]:
    sites = {Position(d.location.row, d.location.column): site_of(d, source) for d in diagnostics}
    allowed = permitted(recipe, set(sites.values()))
    wanted = frozenset(place for place, site in sites.items() if site in allowed)
    if not wanted:
        return source.text, {}
    rewritten = codemod.rewrite(source.text, wanted)
    return rewritten.text, {sites[place]: why for place, why in rewritten.refused.items()}
