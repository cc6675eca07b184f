"""Fixes: applies a recipe to a tree in place, and says what it fixed and what it left.

Rules:
1. A file that a fix would damage (it no longer parses, or not on the oldest Python it must run on,
   other line endings, a suppression more) is put back as it was, and its sites are reported with the reason.
2. What a fix makes another rule report is finished with it where the catalogue says so.
3. Nothing is reformatted and no suppression is added.
4. The same tree and recipe give the same bytes.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from schemas.base import Frozen
from schemas.findings import Site
from services.engines.deterministic import by_codemod, by_site, codemods, following, imports, ruff
from services.engines.deterministic.by_site import Fixed
from services.engines.deterministic.finding import described, inside, read_source, ruff_can_fix, source_files
from services.engines.deterministic.outside import UNUSED_SUPPRESSION
from services.engines.deterministic.recipe import Recipe, permitted
from services.engines.deterministic.rules import catalogue
from services.engines.deterministic.source import Source, damage

DEPENDS_ON_SELECTION = UNUSED_SUPPRESSION  # whether a suppression is used depends on every rule looked for


class Remaining(Frozen):
    """A site where the rule still fires, and why."""

    site: Site
    reason: str


class Applied(Frozen):
    """What a recipe did: paths are sorted, `fixed` counts findings, `fixed_sites` names places."""

    changed_paths: tuple[str, ...]
    fixed: int
    fixed_sites: tuple[Site, ...]
    remaining: tuple[Remaining, ...]


async def apply(tree: Path, recipe: Recipe, seen: Sequence[ruff.Diagnostic] | None = None) -> Applied:
    """Apply `recipe` to the files under `tree`, in place; applying it twice changes nothing more.

    `seen` are ruff's reports on exactly this tree, where the caller has them already. Raises
    `ruff.RuffFailed` for a rule or target version that ruff does not know.
    """
    then = _then(recipe.rule)
    if seen is None:
        seen = await look(tree, recipe, _candidates(tree, recipe), (recipe.rule, *then))
    before = [d for d in seen if d.code == recipe.rule]
    files = tuple(sorted({d.filename for d in before}))
    originals = {path: (tree / path).read_bytes() for path in files}
    sources: dict[str, Source | None] = {path: read_source(tree / path) for path in files}
    sites_before = [f.site for f in await described(tree, before, sources)]
    needed: dict[Site, str] = {}
    if recipe.rule == imports.UNUSED_IMPORT and before:
        needed = await asyncio.to_thread(imports.needed, tree, recipe.packages, before, sources)
        recipe = recipe.model_copy(update={"leave_out": (*recipe.leave_out, *needed)})
    allowed = permitted(recipe, set(sites_before))
    if not allowed:
        return _report(recipe, sites_before, sites_before, needed, allowed, ())
    fixed = await _fix(tree, recipe, before)
    after = list(fixed.diagnostics)
    if then:
        others = [d for d in seen if d.code in then and d.filename in originals]
        known = {(f.rule, f.site) for f in await described(tree, others, sources)}
        if await following.finish(tree, recipe, then, known, originals, _looker(tree)):
            after = await look(tree, recipe, files)
    restored = await asyncio.to_thread(_put_back_damaged, tree, originals, sources, recipe.oldest_python)
    kept = [d for d in after if d.filename not in restored]
    sites_after = [f.site for f in await described(tree, kept, {})]
    sites_after += [site for site in sites_before if site.path in restored]
    refused = needed | fixed.refused | {s: restored[s.path] for s in sites_after if s.path in restored}
    changed = tuple(path for path in files if (tree / path).read_bytes() != originals[path])
    return _report(recipe, sites_before, sites_after, refused, allowed, changed)


def _then(rule: str) -> tuple[str, ...]:
    known = catalogue().get(rule)
    return known.then if known else ()


def _looker(tree: Path) -> following.Look:
    async def again(recipe: Recipe, paths: Sequence[str]) -> list[ruff.Diagnostic]:
        return await look(tree, recipe, paths)

    return again


async def look(
    tree: Path, recipe: Recipe, paths: Sequence[str], rules: Sequence[str] = (), *options: str
) -> list[ruff.Diagnostic]:
    """Report where `rules`, by default the recipe's own, fire in `paths`."""
    if not paths:
        return []
    wanted = tuple(rules) or (recipe.rule,)
    select = recipe.select if recipe.rule == DEPENDS_ON_SELECTION else wanted
    report = await ruff.check(tree, paths, select, recipe.target_version, *options)
    return [d for d in report.diagnostics if d.code in wanted and d.cell is None]


async def _fix(tree: Path, recipe: Recipe, before: Sequence[ruff.Diagnostic]) -> Fixed:
    async def again(paths: Sequence[str]) -> list[ruff.Diagnostic]:
        return await look(tree, recipe, paths)

    if codemods.for_rule(recipe.rule) is not None:
        return await by_codemod.fix(tree, recipe, before, again)
    if recipe.by_site or recipe.rule == DEPENDS_ON_SELECTION:
        return await by_site.fix(tree, recipe, before, again)
    files = sorted({d.filename for d in before if ruff_can_fix(d)})
    untouched = [d for d in before if d.filename not in files]
    after = await look(tree, recipe, files, (), "--fix", "--unsafe-fixes")
    return Fixed(diagnostics=(*untouched, *after), refused={})


def _candidates(tree: Path, recipe: Recipe) -> tuple[str, ...]:
    """The files or folders worth looking at: as few as the recipe allows."""
    packages, _ = inside(tree, recipe.packages)
    if recipe.only is None and recipe.only_paths is None:
        return packages
    wanted = set(recipe.only_paths) if recipe.only_paths is not None else {s.path for s in recipe.only or ()}
    return tuple(path for path in source_files(tree, packages) if path in wanted)


def _put_back_damaged(
    tree: Path, originals: dict[str, bytes], sources: dict[str, Source | None], oldest: int
) -> dict[str, str]:
    restored = {}
    for path, content in originals.items():
        if (tree / path).read_bytes() == content:
            continue
        before, after = sources[path], read_source(tree / path)
        reason = "the fix would change the encoding"
        if before is not None and after is not None:
            harm = damage(before, after, oldest)
            if harm is None:
                continue
            reason = harm
        (tree / path).write_bytes(content)
        restored[path] = reason
    return restored


def _report(
    recipe: Recipe,
    before: Sequence[Site],
    after: Sequence[Site],
    refused: dict[Site, str],
    allowed: set[Site],
    changed: tuple[str, ...],
) -> Applied:
    still, was = Counter(after), Counter(before)
    left_out = set(recipe.leave_out)
    remaining = (
        Remaining(site=site, reason=refused.get(site) or _reason(site, allowed, was))
        for site in _ordered(still)
    )
    return Applied(
        changed_paths=changed,
        fixed=max(0, len(before) - len(after)),
        fixed_sites=tuple(s for s in _ordered(was) if s not in still and s not in left_out),
        remaining=tuple(remaining),
    )


def _reason(site: Site, allowed: set[Site], was: Counter[Site]) -> str:
    if site in was and site not in allowed:
        return "left out by the recipe"
    return "no fix is offered here"


def _ordered(sites: Counter[Site]) -> list[Site]:
    return sorted(sites, key=lambda s: (s.path, s.scope, s.text))
