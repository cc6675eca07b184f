"""Fixes only the permitted sites of a rule, by applying ruff's own edits piece by piece.

Rules:
1. What shares its edits with a left-out site is left out too; what shares them with a chosen site
   comes along.
2. A site whose line another fix of the same rule rewrites stays what it was: permitted or left out.
   What first appears in a scope where a permitted fix was made (an `else` after an `elif` that went)
   belongs to that fix.
3. A piece whose fix would damage the file is refused alone; the others go on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from schemas.findings import Site
from services.engines.deterministic.edits import Pass, Piece, apply_pieces, pieces
from services.engines.deterministic.finding import read_source, ruff_can_fix
from services.engines.deterministic.recipe import Recipe, permitted
from services.engines.deterministic.ruff import Diagnostic
from services.engines.deterministic.source import Source, damage

PASSES = 50  # ruff itself stops at 10; pieces that damage together need one pass each

Look = Callable[[Sequence[str]], Awaitable[list[Diagnostic]]]


@dataclass(frozen=True)
class Fixed:
    """Where the rule still fires after fixing, and the sites refused with the reason."""

    diagnostics: tuple[Diagnostic, ...]
    refused: dict[Site, str]


@dataclass
class _Standing:
    """What is known of sites beyond the recipe, as lines are rewritten."""

    known: set[Site] = field(default_factory=set)
    scopes: set[tuple[str, str]] = field(default_factory=set)
    also: set[Site] = field(default_factory=set)
    never: set[Site] = field(default_factory=set)
    refused: dict[Site, str] = field(default_factory=dict)


async def fix(tree: Path, recipe: Recipe, before: Sequence[Diagnostic], look: Look) -> Fixed:
    """Apply permitted pieces, pass by pass, until none is left; `look` reports the rule again."""
    standing = _Standing()
    current = list(before)
    for _ in range(PASSES):
        changed = set()
        for path, group in groupby(sorted(current, key=lambda d: d.filename), key=lambda d: d.filename):
            if await asyncio.to_thread(_fix_file, tree, path, recipe, list(group), standing):
                changed.add(path)
        if not changed:
            break
        current = [d for d in current if d.filename not in changed] + await look(sorted(changed))
    return Fixed(diagnostics=tuple(current), refused=standing.refused)


def _fix_file(
    tree: Path, path: str, recipe: Recipe, diagnostics: list[Diagnostic], standing: _Standing
) -> bool:
    source = read_source(tree / path)
    if source is None:
        return False
    sites = {d.location.row: site_of(d, source) for d in diagnostics}
    _admit(set(sites.values()), standing)
    allowed = (permitted(recipe, set(sites.values())) | standing.also) - standing.never
    barred = (set(sites.values()) & set(recipe.leave_out)) | standing.never
    chosen = [
        piece
        for piece in pieces(source, [d for d in diagnostics if ruff_can_fix(d)])
        if _may(piece, sites, allowed, barred)
    ]
    done = _safely(source, chosen, sites, standing, recipe.oldest_python)
    if done is None:
        return False
    (tree / path).write_bytes(Source(done.text, source.bom).encode())
    _follow(source, done, diagnostics, allowed, standing)
    return True


def _admit(sites: set[Site], standing: _Standing) -> None:
    """Permit what a permitted fix brought up."""
    fresh = sites - standing.known - standing.never
    standing.also |= {site for site in fresh if (site.path, site.scope) in standing.scopes}
    standing.known |= sites


def _may(piece: Piece, sites: dict[int, Site], allowed: set[Site], barred: set[Site]) -> bool:
    held = {sites[row] for row in piece.rows}
    return bool(held & allowed) and not held & barred


def _safely(
    source: Source, chosen: Sequence[Piece], sites: dict[int, Site], standing: _Standing, oldest: int
) -> Pass | None:
    """Apply all that fit together, or the first that is harmless alone; None when nothing is."""
    if not chosen:
        return None
    done = apply_pieces(source.text, chosen)
    if damage(source, Source(done.text, source.bom), oldest) is None:
        return done
    for piece in chosen:
        done = apply_pieces(source.text, [piece])
        harm = damage(source, Source(done.text, source.bom), oldest)
        if harm is None:
            return done
        for row in piece.rows:
            standing.refused[sites[row]] = harm
            standing.never.add(sites[row])
    return None


def _follow(
    source: Source, done: Pass, diagnostics: Sequence[Diagnostic], allowed: set[Site], standing: _Standing
) -> None:
    """Know the sites that were not fixed again under the text their line has now."""
    new = Source(done.text, source.bom)
    fixed_rows = {row for piece in done.applied for row in piece.rows}
    for said in diagnostics:
        site = site_of(said, source)
        row = new.row(done.moved(source.offset(said.location.row, said.location.column)))
        if said.location.row in fixed_rows:
            standing.scopes.add((site.path, site.scope))
        now = site.model_copy(update={"text": new.line(row)})
        if now == site:
            continue
        standing.known.add(now)
        if site in allowed:
            standing.also.add(now)
        elif said.location.row not in fixed_rows:
            standing.never.add(now)


def site_of(said: Diagnostic, source: Source) -> Site:
    """Name the place of a diagnostic in `source`."""
    row = said.location.row
    return Site(path=said.filename, scope=source.scope(row), text=source.line(row))
