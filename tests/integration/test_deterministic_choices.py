"""What the deterministic engine chooses not to find, not to fix, or to fix later, with the real ruff."""

from pathlib import Path

import pytest

from schemas.findings import Finding
from services.engines.deterministic.finding import Scan, find
from services.engines.deterministic.fixing import apply
from services.engines.deterministic.grouping import propose, withheld
from services.engines.deterministic.recipe import Recipe
from services.engines.deterministic.rehearsal import rehearse
from services.engines.deterministic.rules import RuleSet


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "pkg").mkdir()
    return tmp_path


async def look(tree: Path) -> Scan:
    return await find(tree, ("pkg",), RuleSet())


def of(scan: Scan, rule: str) -> list[Finding]:
    return [f for f in scan.findings if f.rule == rule]


def recipe(rule: str, target_version: str = "py310") -> Recipe:
    return Recipe(rule=rule, packages=("pkg",), target_version=target_version)


async def test_only_suppressions_that_no_other_tool_may_need_are_found_and_removed(tree: Path) -> None:
    outside = ("E501", "N818", "BLE001", "FBT001", "S101", "RUF054", "PLR0911")
    kept = "".join(f"x = 1  # noqa: {code}\n" for code in outside) + "y = 1  # noqa\n"
    mixed = "z = 1  # noqa: N818, F401\n"
    (tree / "pkg" / "c.py").write_text(f"{kept}{mixed}x = 1  # noqa: F401\n")
    scan = await look(tree)
    assert [(f.text, f.fixable) for f in of(scan, "RUF100")] == [
        ("z = 1  # noqa: N818, F401", True),
        ("x = 1  # noqa: F401", True),
    ]
    done = await apply(tree, recipe("RUF100"))
    assert (tree / "pkg" / "c.py").read_text() == f"{kept}z = 1  # noqa: N818\nx = 1\n"
    assert (done.fixed, done.remaining) == (2, ())


async def test_a_negation_is_simplified_before_it_is_returned(tree: Path) -> None:
    (tree / "pkg" / "c.py").write_text(
        "def differ(a, b):\n    if not a == b:\n        return True\n    return False\n"
    )
    scan = await look(tree)
    for proposal in propose(scan, await rehearse(tree, ("pkg",), scan, RuleSet()), ("pkg",), RuleSet()):
        await apply(tree, proposal.recipe)
    assert (tree / "pkg" / "c.py").read_text() == "def differ(a, b):\n    return a != b\n"


async def test_no_fix_is_written_that_an_older_declared_python_could_not_read(tree: Path) -> None:
    (tree / "pkg" / "c.py").write_text(
        "import sys\nif sys.version_info < (3, 10):\n    x = 1\ny = zip(x, sys.path)\n"
    )
    older = RuleSet(written_for="py39")
    scan = await find(tree, ("pkg",), older)
    assert scan.findings == (await look(tree)).findings
    rehearsed = await rehearse(tree, ("pkg",), scan, older)
    proposed = {p.rule for p in propose(scan, rehearsed, ("pkg",), older)}
    everything = await rehearse(tree, ("pkg",), scan, RuleSet())
    newer = {p.rule for p in propose(scan, everything, ("pkg",), RuleSet())} - proposed
    assert newer == {"B905", "UP036"}
    withholding = withheld(scan, rehearsed, older)
    assert {rule: len(places) for rule, places in withholding.items()} == {"B905": 1, "UP036": 1}
    for rule in newer:
        assert (await apply(tree, recipe(rule, target_version="py39"))).changed_paths == ()
