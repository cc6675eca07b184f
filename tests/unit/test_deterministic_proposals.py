"""Recipes, ranking and verification: the pure decisions of the deterministic engine."""

import pytest

from schemas.findings import Finding, Site
from services.engines.deterministic.finding import Scan, SettingsFile
from services.engines.deterministic.fixing import Applied
from services.engines.deterministic.grouping import propose, withheld
from services.engines.deterministic.recipe import Recipe, permitted
from services.engines.deterministic.rules import FixKind, RuleSet, catalogue, describe, written_for
from services.engines.deterministic.verifying import verify_gone

A, B, C = (Site(path="p/a.py", scope="f", text=text) for text in ("x = dict()", "return [1] + y", "pass"))


def finding(rule: str, text: str = "x", path: str = "p/a.py") -> Finding:
    return Finding(rule=rule, path=path, line=1, column=1, message="", scope="", text=text, fixable=True)


def scan(*findings: Finding, unmasked: tuple[Finding, ...] | None = None, **changed: object) -> Scan:
    seen = Scan(
        findings=findings,
        unmasked=findings if unmasked is None else unmasked,
        files=("p/a.py",),
        settings=(),
        notes=(),
    )
    return seen.model_copy(update=changed)


def removes(*findings: Finding) -> Applied:
    return Applied(
        changed_paths=("p/a.py",),
        fixed=len(findings),
        fixed_sites=tuple(f.site for f in findings),
        remaining=(),
    )


def test_without_limits_every_site_is_permitted() -> None:
    assert permitted(Recipe(rule="X", packages=("p",)), {A, B}) == {A, B}


def test_limits_by_site_and_path_both_hold_and_leaving_out_wins() -> None:
    other = A.model_copy(update={"path": "p/b.py"})
    recipe = Recipe(rule="X", packages=("p",), only=(A, B, other), only_paths=("p/a.py",), leave_out=(B,))
    assert permitted(recipe, {A, B, C, other}) == {A}


def test_a_left_out_site_is_known_again_when_its_line_was_rewritten() -> None:
    recipe = Recipe(rule="X", packages=("p",), leave_out=(B,))
    rewritten = B.model_copy(update={"text": "return [1] + z"})
    elsewhere = rewritten.model_copy(update={"scope": "g"})
    assert permitted(recipe, {A, rewritten, elsewhere}) == {A, elsewhere}


def test_a_recipe_survives_a_json_round_trip() -> None:
    recipe = Recipe(rule="X", packages=("p",), only=(A,), only_paths=None, leave_out=(B,))
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_one_improvement_per_rule_that_a_rehearsal_removed() -> None:
    found = (finding("B904"), finding("UP025"), finding("UP025", "y"), finding("B018"))
    rehearsed = {"B904": removes(found[0]), "UP025": removes(found[1]), "B018": removes()}
    given = propose(scan(*found), rehearsed, ("p",), RuleSet())
    assert [(p.rule, p.found, p.expected) for p in given] == [("B904", 1, 1), ("UP025", 2, 1)]
    assert given[0].title == "Raise with `from` so that the cause is kept"
    assert given[1].recipe == Recipe(rule="UP025", packages=("p",))


def test_what_needs_a_newer_python_is_withheld_with_its_reason() -> None:
    found = (finding("B905"), finding("UP031"), finding("UP031", "y"))
    rehearsed = {"B905": removes(), "UP031": removes(found[1])}
    rules = RuleSet(written_for="py39")
    given = propose(scan(*found), rehearsed, ("p",), rules)
    assert [(p.rule, p.recipe.target_version) for p in given] == [("UP031", "py39")]
    assert [(u.site.text, u.reason) for u in given[0].unfixed] == [
        ("y", "a fix needs a newer Python than 3.9")
    ]
    assert {rule: len(left) for rule, left in withheld(scan(*found), rehearsed, rules).items()} == {
        "B905": 1,
        "UP031": 1,
    }
    assert withheld(scan(*found), rehearsed, RuleSet()) == {}


@pytest.mark.parametrize(("oldest", "name"), [(None, "py310"), (5, "py37"), (8, "py38"), (12, "py310")])
def test_fixes_are_written_for_the_oldest_declared_python_within_bounds(
    oldest: int | None, name: str
) -> None:
    assert written_for(oldest) == name


def test_what_others_leave_unused_is_removed_last_whatever_its_weight() -> None:
    rules = ("F401", "F841", "UP032", "UP031", "RUF022", "RUF100")
    found = tuple(finding(rule) for rule in rules)
    given = propose(scan(*found), {f.rule: removes(f) for f in found}, ("p",), RuleSet())
    assert [p.rule for p in given] == ["UP031", "RUF022", "UP032", "F841", "F401", "RUF100"]


def test_the_order_does_not_depend_on_the_order_of_findings() -> None:
    found = tuple(finding(rule) for rule in ("SIM201", "SIM202", "RET505", "C408", "B905"))
    rehearsed = {f.rule: removes(f) for f in found}
    forwards = propose(scan(*found), rehearsed, ("p",), RuleSet())
    backwards = propose(scan(*found[::-1]), dict(reversed(rehearsed.items())), ("p",), RuleSet())
    assert forwards == backwards


def test_a_finding_that_left_is_gone() -> None:
    verdict = verify_gone(scan(finding("F401"), finding("B018")), scan(finding("B018")), "F401")
    assert (verdict.gone, verdict.problems, verdict.introduced) == (1, (), ())


def test_a_finding_that_was_only_suppressed_is_a_problem() -> None:
    before = scan(finding("F401"))
    verdict = verify_gone(before, scan(unmasked=before.findings), "F401")
    assert verdict.problems == ("1 findings of F401 are suppressed, not fixed",)


def test_a_file_or_setting_that_hides_findings_is_a_problem() -> None:
    before = scan(finding("F401"))
    settings = (SettingsFile(path="ruff.toml", sha256="0"),)
    verdict = verify_gone(before, scan(files=("p/b.py",), settings=settings, notes=("p/c.py: no",)), "F401")
    assert [problem.partition(":")[0] for problem in verdict.problems] == [
        "files are no longer looked at",
        "files appeared",
        "files are no longer read in full",
        "settings of checks changed",
    ]


def test_new_findings_of_other_rules_are_reported_but_not_rewritten_lines() -> None:
    before = scan(finding("UP031"), finding("F841", "a % b"))
    after = scan(finding("F841", "a.format(b)"), finding("UP032"))
    assert verify_gone(before, after, "UP031").introduced == (finding("UP032"),)


def test_every_rule_of_the_catalogue_speaks_to_a_reviewer() -> None:
    for code, rule in catalogue().items():
        assert rule.title[0].isupper(), code
        assert not rule.title.endswith("."), code
        assert rule.why.endswith("."), code
        assert len(rule.title) <= 72, code
        assert set(rule.then) <= set(catalogue()), code


def test_a_rule_outside_the_catalogue_speaks_in_ruffs_words() -> None:
    rule = describe("E711")
    assert "E711" not in catalogue()
    assert (rule.title, rule.fix) == ("Fix none comparison", FixKind.RUFF)
    assert rule.why
