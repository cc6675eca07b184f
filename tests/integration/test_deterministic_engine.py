"""The deterministic engine on real files with the real ruff: finding, fixing, stacking."""

import os
from pathlib import Path

import pytest

from schemas.findings import Finding, Site
from services.engines.deterministic.finding import Scan, find
from services.engines.deterministic.fixing import Applied, apply
from services.engines.deterministic.grouping import propose
from services.engines.deterministic.recipe import Recipe
from services.engines.deterministic.rehearsal import rehearse
from services.engines.deterministic.ruff import RuffFailed
from services.engines.deterministic.rules import RuleSet
from services.engines.deterministic.verifying import verify_gone

SAMPLE = '''\
"""A module with something for everyone."""

import os, sys
from typing import (
    Dict,
    List,
)


class Old(object):
    def name(self, parts):
        if parts:
            return "%s-%s" % (parts[0], u"x")
        elif self:
            return dict(a=dict(), b=dict(c=1))
        else:
            return dict()

    def load(self, key):
        try:
            return {}[key]
        except KeyError:
            raise ValueError("no %s" % key)


def pairs(a, b):
    for i, x in enumerate(a):
        yield x
    return not a == b


def more(a, b):
    if not a == b:
        return list([1, 2])
    else:
        return zip(a, b)
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "a [target], {né}"
    (root / "pkg" / "sub").mkdir(parents=True)
    (root / "pkg" / "a.py").write_text(SAMPLE)
    (root / "pkg" / "sub" / "b.py").write_text(SAMPLE)
    (root / "other.py").write_text("import os\n")
    return root


async def look(tree: Path, *packages: str) -> Scan:
    return await find(tree, packages or ("pkg",), RuleSet())


def of(scan: Scan, rule: str) -> list[Finding]:
    return [f for f in scan.findings if f.rule == rule]


def recipe(rule: str, **limits: object) -> Recipe:
    return Recipe(rule=rule, packages=("pkg",)).model_copy(update=limits)


def contents(tree: Path) -> dict[str, bytes]:
    return {p.relative_to(tree).as_posix(): p.read_bytes() for p in sorted(tree.rglob("*")) if p.is_file()}


def site(text: str, scope: str, path: str = "pkg/a.py") -> Site:
    return Site(path=path, scope=scope, text=text)


# --- finding


async def test_findings_are_named_by_scope_and_text(tree: Path) -> None:
    scan = await look(tree)
    raised = of(scan, "B904")[0]
    assert raised.site == site('raise ValueError("no %s" % key)', "Old.load")
    assert (raised.line, raised.fixable) == (23, True)
    assert scan.files == ("pkg/a.py", "pkg/sub/b.py")
    assert {f.path for f in scan.findings} == {"pkg/a.py", "pkg/sub/b.py"}


async def test_unreadable_files_are_notes_and_the_rest_goes_on(tree: Path) -> None:
    before = await look(tree)
    (tree / "pkg" / "broken.py").write_text("def f(:\n")
    (tree / "pkg" / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nimport os\nx = '\xe9'\n")
    scan = await look(tree, "pkg", "absent")
    assert scan.findings == before.findings
    assert [note.partition(":")[0] for note in scan.notes] == [
        "absent",
        "pkg/broken.py",
        "pkg/broken.py",
        "pkg/latin.py",
    ]


def give_strange_names(tree: Path) -> None:
    folder = os.fsencode(tree / "pkg")
    for name in (b"n\xe9.py", b"l\xe9.py"):
        Path(os.fsdecode(folder + b"/" + name + b".link.py")).symlink_to("../other.py")
        os.link(tree / "other.py", folder + b"/" + name)


async def test_a_file_name_that_is_not_utf8_is_a_note(tree: Path) -> None:
    before = await look(tree)
    give_strange_names(tree)
    scan = await look(tree)
    assert scan.findings == before.findings
    assert scan.files == before.files
    assert scan.notes == tuple(f"pkg/{n}\ufffd.py: the name is not UTF-8, left out" for n in "ln")
    assert (await apply(tree, recipe("F401"))).changed_paths == ("pkg/a.py", "pkg/sub/b.py")


async def test_links_that_lead_outside_are_not_followed(tree: Path, tmp_path: Path) -> None:
    before = await look(tree)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("import os\n")
    for name in ("plain.py", "f[1].py", "g*.py", "h?.py", "i{a,b}.py", "j\\.py", "k, l.py", "😀.py"):
        (tree / "pkg" / name).symlink_to(outside / "secret.py")
    (tree / "pkg" / "folder").symlink_to(outside)
    (tree / "away").symlink_to(outside)
    scan = await look(tree, "pkg", "away", "../outside")
    assert scan.findings == before.findings
    assert scan.files == before.files
    assert scan.notes == (
        "../outside: leads outside the target, left out",
        "away: leads outside the target, left out",
    )
    for packages in (("pkg",), ("away",), ("../outside",)):
        await apply(tree, Recipe(rule="F401", packages=packages))
    assert (outside / "secret.py").read_text() == "import os\n"


async def test_the_targets_own_configuration_and_ignore_files_change_nothing(tree: Path) -> None:
    before = await look(tree)
    (tree / "ruff.toml").write_text('[lint.per-file-ignores]\n"*.py" = ["ALL"]\n')
    assert (await look(tree)).findings == before.findings
    (tree / ".gitignore").write_text("*.py\n")
    (tree / ".git").mkdir()
    assert (await look(tree)).findings == before.findings


async def test_suppression_comments_count_as_the_target_has_them(tree: Path) -> None:
    (tree / "pkg" / "c.py").write_text("import os  # noqa: F401\n")
    scan = await look(tree)
    assert "pkg/c.py" not in {f.path for f in scan.findings}
    assert "pkg/c.py" in {f.path for f in scan.unmasked}


# --- fixing


@pytest.mark.parametrize(
    "rule",
    ["C408", "RET505", "SIM201", "UP004", "UP025", "UP031", "B904", "B905", "B007", "C410", "F401"],
)
async def test_a_rule_is_gone_after_its_fix_and_site_by_site_gives_the_same(tree: Path, rule: str) -> None:
    before, base = await look(tree), contents(tree)
    done = await apply(tree, recipe(rule))
    whole = contents(tree)
    verdict = verify_gone(before, await look(tree), rule)
    assert (done.fixed, done.remaining) == (len(of(before, rule)), ())
    assert (verdict.gone, verdict.problems) == (done.fixed, ())
    assert done.changed_paths == ("pkg/a.py", "pkg/sub/b.py")
    assert (await apply(tree, recipe(rule))).changed_paths == ()

    restore(tree, base)
    by_site = await apply(tree, recipe(rule, only=tuple({f.site for f in of(before, rule)})))
    assert contents(tree) == whole
    assert by_site == done


def restore(tree: Path, base: dict[str, bytes]) -> None:
    for path, content in base.items():
        (tree / path).write_bytes(content)


async def test_a_recipe_by_path_leaves_other_files(tree: Path) -> None:
    done = await apply(tree, recipe("UP004", only_paths=("pkg/sub/b.py", "other.py")))
    assert done.changed_paths == ("pkg/sub/b.py",)
    assert (tree / "pkg" / "a.py").read_text() == SAMPLE


async def test_a_single_site_is_fixed_and_the_others_stay(tree: Path) -> None:
    done = await apply(tree, recipe("SIM201", only=(site("if not a == b:", "more"),)))
    assert (tree / "pkg" / "a.py").read_text() == SAMPLE.replace("if not a == b:", "if a != b:")
    assert done.fixed_sites == (site("if not a == b:", "more"),)
    assert {r.reason for r in done.remaining} == {"left out by the recipe"}


async def test_a_left_out_site_stays_in_every_file_but_its_twin_goes(tree: Path) -> None:
    left = site("if not a == b:", "more")
    done = await apply(tree, recipe("SIM201", leave_out=(left,)))
    assert [r.site for r in done.remaining if r.site.path == "pkg/a.py"] == [left]
    assert "if not a == b" not in (tree / "pkg" / "sub" / "b.py").read_text()


async def test_nested_findings_on_one_line_are_fixed_together(tree: Path) -> None:
    await apply(tree, recipe("C408", only=(site("return dict(a=dict(), b=dict(c=1))", "Old.name"),)))
    text = (tree / "pkg" / "a.py").read_text()
    assert 'return {"a": {}, "b": {"c": 1}}' in text
    assert "return dict()" in text


async def test_a_site_within_a_chosen_one_stays_though_its_line_is_rewritten(tree: Path) -> None:
    (tree / "pkg" / "c.py").write_text("x = dict(a=1,\n    b=dict(c=1))\n")
    await apply(tree, recipe("C408", only=(site("x = dict(a=1,", "", "pkg/c.py"),)))
    assert (tree / "pkg" / "c.py").read_text() == 'x = {"a": 1,\n    "b": dict(c=1)}\n'


async def test_what_shares_its_edit_with_a_left_out_site_is_left_out(tree: Path) -> None:
    done = await apply(tree, recipe("F401", only_paths=("pkg/a.py",), leave_out=(site("Dict,", ""),)))
    text = (tree / "pkg" / "a.py").read_text()
    assert "    Dict,\n    List,\n" in text
    assert "import os" not in text
    assert {s.text for s in done.fixed_sites} == {"import os, sys"}


async def test_what_shares_its_edit_with_a_chosen_site_comes_along(tree: Path) -> None:
    done = await apply(tree, recipe("F401", only=(site("Dict,", ""),)))
    assert {s.text for s in done.fixed_sites} == {"Dict,", "List,"}


async def test_line_endings_byte_order_mark_and_columns_survive(tree: Path) -> None:
    text = 'x = "é😀" + str(dict())\r\ny = dict()\r\n'
    for limits in ({}, {"leave_out": (site("y = dict()", "", "pkg/c.py"),)}):
        (tree / "pkg" / "c.py").write_bytes(b"\xef\xbb\xbf" + text.encode())
        await apply(tree, recipe("C408", **limits))
        after = text.replace("str(dict())", "str({})")
        after = after if limits else after.replace("dict()", "{}")
        assert (tree / "pkg" / "c.py").read_bytes() == b"\xef\xbb\xbf" + after.encode()


async def test_imports_that_a_fix_needs_come_with_it(tree: Path) -> None:
    text = '"""Doc."""\n\ndef f(x):\n    try:\n        x()\n    except OSError:\n        pass\n'
    for limits in ({}, {"only": (site("try:", "f", "pkg/c.py"),)}):
        (tree / "pkg" / "c.py").write_text(text)
        await apply(tree, recipe("SIM105", **limits))
        assert "import contextlib\n" in (tree / "pkg" / "c.py").read_text()


async def test_a_fix_is_finished_where_it_makes_another_rule_report(tree: Path) -> None:
    before = await look(tree)
    (tree / "pkg" / "a.py").write_text(SAMPLE + 'OLD = "{}".format(SAMPLE)\n')
    await apply(tree, recipe("UP031"))
    text = (tree / "pkg" / "a.py").read_text()
    assert 'raise ValueError(f"no {key}")' in text
    assert '"{}".format(SAMPLE)' in text
    assert verify_gone(before, await look(tree), "UP031").gone == 4


async def test_a_fix_that_changes_what_the_program_reads_is_never_made(tree: Path) -> None:
    (tree / "pkg" / "c.py").write_text('import os\nx = os.environ["home"]\n')
    scan = await look(tree)
    done = await apply(tree, recipe("SIM112"))
    assert [f.fixable for f in of(scan, "SIM112")] == [False]
    assert done.changed_paths == ()


async def test_what_a_codemod_leaves_alone_is_reported_with_its_reason(tree: Path) -> None:
    text = "try:\n    x = 1\nexcept KeyError as e:\n    e = 2\n    raise ValueError()\n"
    (tree / "pkg" / "c.py").write_text(text)
    done = await apply(tree, recipe("B904", only_paths=("pkg/c.py",)))
    assert [(r.site.text, r.reason) for r in done.remaining] == [
        ("raise ValueError()", "the handler binds e again")
    ]


async def test_an_unknown_rule_is_refused(tree: Path) -> None:
    with pytest.raises(RuffFailed, match="NOPE123"):
        await apply(tree, recipe("NOPE123"))


async def test_a_tree_without_the_package_has_nothing_to_fix(tmp_path: Path) -> None:
    assert (await find(tmp_path, ("pkg",), RuleSet())).findings == ()
    assert await apply(tmp_path, recipe("F401")) == Applied(
        changed_paths=(), fixed=0, fixed_sites=(), remaining=()
    )


# --- improvements


async def test_a_rehearsal_promises_what_the_fix_keeps_and_touches_nothing(tree: Path) -> None:
    arms = "if x == 1:\n        return 1\n    elif x == 2:\n        return 1\n    else:\n        return 2\n"
    (tree / "pkg" / "c.py").write_text(f"def f(x):\n    {arms}")
    base, scan = contents(tree), await look(tree)
    rehearsed = await rehearse(tree, ("pkg",), scan, RuleSet())
    assert contents(tree) == base
    for proposal in propose(scan, rehearsed, ("pkg",), RuleSet()):
        done = await apply(tree, proposal.recipe)
        assert (done.fixed, done.changed_paths) == (proposal.expected, proposal.files), proposal.rule
        restore(tree, base)


async def test_a_stack_lands_every_improvement_and_is_the_same_each_time(tree: Path) -> None:
    base, scan = contents(tree), await look(tree)
    rehearsed = await rehearse(tree, ("pkg",), scan, RuleSet())
    recipes = [p.recipe for p in propose(scan, rehearsed, ("pkg",), RuleSet())]
    results = []
    for _ in range(2):
        restore(tree, base)
        landed = [(await apply(tree, recipe)).fixed for recipe in recipes]
        results.append((landed, contents(tree)))
    assert results[0] == results[1]
    assert all(results[0][0])
    assert {f.rule for f in (await look(tree)).findings} <= {"F401", "RET504", "RUF100"}
    compile((tree / "pkg" / "a.py").read_text(), "a.py", "exec")
