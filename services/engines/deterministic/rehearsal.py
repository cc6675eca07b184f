"""Rehearses each rule's fix in a scratch copy, so that only what is truly removed is promised."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from services.engines.deterministic.finding import Scan
from services.engines.deterministic.fixing import Applied, apply
from services.engines.deterministic.recipe import Recipe
from services.engines.deterministic.rules import RuleSet


async def rehearse(tree: Path, packages: Sequence[str], scan: Scan, rules: RuleSet) -> dict[str, Applied]:
    """Apply every fixable rule of `scan` alone to a copy of its source files; `tree` stays untouched."""
    results: dict[str, Applied] = {}
    with tempfile.TemporaryDirectory(prefix="aps-rehearsal-") as folder:
        scratch = Path(folder)
        _copy(tree, scratch, scan.files)
        for rule in sorted({f.rule for f in scan.findings if f.fixable}):
            paths = tuple(sorted({f.path for f in scan.findings if f.rule == rule}))
            recipe = Recipe(
                rule=rule,
                target_version=rules.target_version,
                packages=tuple(packages),
                only_paths=paths,
                select=rules.select,
            )
            results[rule] = await apply(scratch, recipe)
            _copy(tree, scratch, results[rule].changed_paths)
    return results


def _copy(tree: Path, scratch: Path, paths: Sequence[str]) -> None:
    for path in paths:
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / path, scratch / path, follow_symlinks=False)
