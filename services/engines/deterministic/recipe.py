"""A fix as data: which rule, in which files or sites, so that the same fix can be made again anywhere."""

from difflib import SequenceMatcher

from schemas.base import Frozen
from schemas.findings import Site
from services.engines.deterministic.rules import DEFAULT_SELECT, RuleSet, minor_of

ALIKE = 0.6  # below this, two lines of one scope are taken for different ones


class Recipe(Frozen):
    """One rule's fix within `packages`.

    `only` and `only_paths` narrow it (None: no limit), `leave_out` takes sites away and wins over
    both. A left-out site that earlier changes have rewritten is known again by its path, scope and
    likeness; a site in `only` must match exactly. So a doubt always leaves the source as it is.
    `select` is the selection the finding was made under; one rule (RUF100) depends on it.
    `target_version` is the oldest Python the fixed source must run on.
    """

    rule: str
    target_version: str = "py310"
    packages: tuple[str, ...]
    only: tuple[Site, ...] | None = None
    only_paths: tuple[str, ...] | None = None
    leave_out: tuple[Site, ...] = ()
    select: tuple[str, ...] = DEFAULT_SELECT

    @property
    def rule_set(self) -> RuleSet:
        """The rules under which this recipe looks."""
        return RuleSet(select=self.select, target_version=self.target_version)

    @property
    def oldest_python(self) -> int:
        """The minor version of the oldest Python 3 the fixed source must run on."""
        return minor_of(self.target_version)

    @property
    def by_site(self) -> bool:
        """Whether single sites matter, not only files."""
        return self.only is not None or bool(self.leave_out)


def permitted(recipe: Recipe, sites: set[Site]) -> set[Site]:
    """Choose, of the sites where the rule fires now, those that the recipe may fix."""
    chosen = {s for s in sites if recipe.only_paths is None or s.path in recipe.only_paths}
    if recipe.only is not None:
        chosen &= set(recipe.only)
    return chosen - set(recipe.leave_out) - _rewritten(recipe.leave_out, sites)


def _rewritten(missing: tuple[Site, ...], sites: set[Site]) -> set[Site]:
    """Sites that may be those of `missing` which no longer match exactly."""
    gone: dict[tuple[str, str], list[str]] = {}
    for lost in missing:
        if lost not in sites:
            gone.setdefault((lost.path, lost.scope), []).append(lost.text)
    return {
        site
        for site in sites - set(missing)
        for text in gone.get((site.path, site.scope), ())
        if _alike(site.text, text)
    }


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= ALIKE
