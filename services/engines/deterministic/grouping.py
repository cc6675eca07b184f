"""Groups findings into improvements a reviewer would want: one rule, what it is good for, what it removes.

Rules:
1. One improvement per rule, and only for what a rehearsal really removed.
2. The order is fixed by the catalogue and the counts alone, and is the order in which fixes are
   stacked: what rewrites code first, what that leaves to do second, what it leaves unused last;
   within a stage the most beneficial first, then the rule with more findings, then by code.
"""

from collections.abc import Mapping

from schemas.base import Frozen
from schemas.findings import Finding, Site
from services.engines.deterministic.finding import Scan
from services.engines.deterministic.fixing import Applied, Remaining
from services.engines.deterministic.recipe import Recipe
from services.engines.deterministic.rules import Category, Rule, RuleSet, describe, spoken


class Proposal(Frozen):
    """One improvement: `expected` of the rule's `found` findings go, at `sites` in `files`.

    `unfixed` are the places where the rule still fires after the recipe, with the reason.
    """

    rule: str
    title: str
    why: str
    category: Category
    weight: int
    recipe: Recipe
    sites: tuple[Site, ...]
    files: tuple[str, ...]
    found: int
    expected: int
    unfixed: tuple[Remaining, ...]


def propose(
    scan: Scan, rehearsed: Mapping[str, Applied], packages: tuple[str, ...], rules: RuleSet
) -> tuple[Proposal, ...]:
    """Give the improvements for `scan` in rank order; `rehearsed` says by rule what its fix removed."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in scan.findings:
        by_rule.setdefault(finding.rule, []).append(finding)
    known = {code: describe(code) for code, done in rehearsed.items() if done.fixed > 0 and code in by_rule}
    ranked = sorted(known, key=lambda code: _rank(code, known[code], rehearsed[code].fixed))
    newer = withheld(scan, rehearsed, rules)
    return tuple(
        _proposal(
            code, known[code], len(by_rule[code]), rehearsed[code], newer.get(code, ()), packages, rules
        )
        for code in ranked
    )


def withheld(
    scan: Scan, rehearsed: Mapping[str, Applied], rules: RuleSet
) -> dict[str, tuple[Remaining, ...]]:
    """Give by rule the findings whose fix needs a newer Python than fixes are written for.

    They are those that a rehearsal, which looks with the eyes of the older Python, did not see at all.
    """
    if not rules.withholds:
        return {}
    reason = f"a fix needs a newer Python than {spoken(rules.written_for)}"
    looked_at = {
        rule: {*done.fixed_sites, *(left.site for left in done.remaining)} for rule, done in rehearsed.items()
    }
    newer: dict[str, list[Remaining]] = {}
    for finding in scan.findings:
        if finding.rule in looked_at and finding.site not in looked_at[finding.rule]:
            newer.setdefault(finding.rule, []).append(Remaining(site=finding.site, reason=reason))
    return {rule: tuple(left) for rule, left in newer.items()}


def _rank(code: str, rule: Rule, fixed: int) -> tuple[int, int, int, str]:
    return rule.stage.position, -rule.weight, -fixed, code


def _proposal(
    code: str,
    rule: Rule,
    found: int,
    done: Applied,
    newer: tuple[Remaining, ...],
    packages: tuple[str, ...],
    rules: RuleSet,
) -> Proposal:
    return Proposal(
        rule=code,
        title=rule.title,
        why=rule.why,
        category=rule.category,
        weight=rule.weight,
        recipe=Recipe(rule=code, target_version=rules.written_for, packages=packages, select=rules.select),
        sites=done.fixed_sites,
        files=done.changed_paths,
        found=found,
        expected=done.fixed,
        unfixed=(*done.remaining, *newer),
    )
