"""Rehearses each rule's fix in scratch copies, so that only what is truly removed is promised."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.engines.deterministic import ruff
from services.engines.deterministic.finding import Scan
from services.engines.deterministic.fixing import Applied, apply
from services.engines.deterministic.recipe import Recipe
from services.engines.deterministic.rules import RuleSet

COPIES = 2  # most of the time is spent waiting for ruff, which uses every core itself


async def rehearse(tree: Path, packages: Sequence[str], scan: Scan, rules: RuleSet) -> dict[str, Applied]:
    """Apply every fixable rule of `scan` alone to a copy of its source files; `tree` stays untouched."""
    fixable = sorted({f.rule for f in scan.findings if f.fixable})
    results: dict[str, Applied] = {}
    if not fixable:
        return results
    with tempfile.TemporaryDirectory(prefix="aps-rehearsal-") as folder:
        copies = [Path(folder, str(n)) for n in range(COPIES)]
        for scratch in copies:
            _copy(tree, scratch, scan.files)
        report = await ruff.check(copies[0], scan.files, rules.select, rules.written_for)
        seen = [d for d in report.diagnostics if d.cell is None]
        recipes = iter(
            Recipe(
                rule=rule,
                target_version=rules.written_for,
                packages=tuple(packages),
                select=rules.select,
            )
            for rule in fixable
        )
        async with asyncio.TaskGroup() as work:
            for scratch in copies:
                work.create_task(_take(tree, scratch, recipes, seen, results))
    return dict(sorted(results.items()))


async def _take(
    tree: Path,
    scratch: Path,
    recipes: Iterator[Recipe],
    seen: Sequence[ruff.Diagnostic],
    results: dict[str, Applied],
) -> None:
    """Rehearse recipes in one copy until none is left, putting back what each changed."""
    for recipe in recipes:
        done = await apply(scratch, recipe, seen)
        _copy(tree, scratch, done.changed_paths)
        results[recipe.rule] = done


def _copy(tree: Path, scratch: Path, paths: Sequence[str]) -> None:
    for path in paths:
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / path, scratch / path, follow_symlinks=False)
