"""What lands by itself, what waits for a person, and what is never proposed twice."""

from pathlib import Path

import pytest

from tests.acceptance.command import aps, improve
from tests.acceptance.conftest import Repositories
from tests.acceptance.targets import BRANCH, WORDS, commit, fingerprint, git, subjects, write

pytestmark = pytest.mark.slow

LANDED = "deployment_complete"
# What the suite never runs is of medium risk.
UNTESTED = "\n\ndef never(values):\n    return dict([(v, v) for v in values])\n"


def test_what_is_above_the_autonomy_waits_and_lands_once_a_person_approves(
    home: Path, target: Repositories
) -> None:
    root = target({"tiny/words.py": WORDS + UNTESTED})
    before = fingerprint(root)
    cycle = improve(home, root, APS_AUTONOMY="low")
    assert cycle.statuses["C404"] == "testing_complete"
    assert cycle.statuses["F401"] == LANDED
    waiting = cycle.id_of("C404")
    assert f"aps improvements approve {waiting}" in [
        one["needs"].partition(": ")[2] for one in cycle.outcome["waiting"]
    ]
    assert not any("C404" in subject for subject in subjects(root))
    approved = aps(home, "improvements", "approve", waiting, "--reason", "I looked", "--json")
    assert approved.code == 0, approved.err
    assert "C404" in subjects(root)[-1]
    assert fingerprint(root) == before


def test_a_declined_change_does_not_land_and_is_remembered(home: Path, target: Repositories) -> None:
    root = target({"tiny/words.py": WORDS + UNTESTED})
    cycle = improve(home, root, APS_AUTONOMY="low")
    declined = aps(home, "improvements", "decline", cycle.id_of("C404"), "--reason", "not here", "--json")
    assert declined.code == 0, declined.err
    write(root, {"README.md": "# Tiny\n"})
    commit(root, "Describe")
    again = improve(home, root)
    assert "C404" not in again.statuses
    assert any(
        "C404 was not proposed again" in note and "not here" in note for note in again.outcome["notes"]
    )
    assert not any("C404" in subject for subject in subjects(root))


def test_a_dry_run_proves_everything_and_lands_nothing_until_a_run_that_may(
    home: Path, target: Repositories
) -> None:
    root = target()
    dry = improve(home, root, "--dry-run")
    assert set(dry.statuses.values()) == {"testing_complete", "abandoned"}
    assert git(root, "branch", "--list", BRANCH) == ""
    wet = improve(home, root)
    assert wet.statuses["F401"] == LANDED
    assert wet.outcome["suite_runs"] == 0
    assert set(wet.statuses.values()) == {LANDED, "abandoned"}


def test_a_limit_bounds_what_is_taken_up_and_the_next_run_goes_on(home: Path, target: Repositories) -> None:
    root = target()
    first = improve(home, root, "--limit", "2")
    assert len(first.outcome["improvements"]) == 2
    assert len(subjects(root)) == 2
    second = improve(home, root)
    assert len(subjects(root)) > 7
    assert second.outcome["tests_after"] == {"passed": 6, "failed": 0}


def test_a_second_run_on_the_same_commit_finds_nothing_new(home: Path, target: Repositories) -> None:
    root = target()
    first = improve(home, root)
    tip = git(root, "rev-parse", BRANCH)
    second = improve(home, root)
    assert second.statuses == first.statuses
    assert second.outcome["suite_runs"] == 0
    assert git(root, "rev-parse", BRANCH) == tip


def test_what_was_taken_back_is_not_proposed_again_until_its_files_change(
    home: Path, target: Repositories
) -> None:
    root = target()
    cycle = improve(home, root)
    assert aps(home, "improvements", "rollback", cycle.id_of("UP004"), "--json").code == 0
    again = improve(home, root)
    assert again.statuses["UP004"] == "rolled_back"
    write(root, {"README.md": "# Tiny\n"})
    commit(root, "Describe")
    assert "UP004" not in improve(home, root).statuses
    write(root, {"tiny/words.py": WORDS + "\n\nclass Crate(object):\n    pass\n"})
    commit(root, "Grow")
    assert improve(home, root).statuses["UP004"] == LANDED


@pytest.mark.parametrize("merged", [True, False], ids=["merged", "apart"])
def test_the_person_goes_on_working_and_improves_again(
    home: Path, target: Repositories, merged: bool
) -> None:
    root = target()
    improve(home, root)
    if merged:
        git(root, "merge", "--quiet", "--ff-only", BRANCH)
    write(root, {"tiny/more.py": "import os\n\n\ndef more():\n    return 1\n"})
    commit(root, "Go on")
    base = git(root, "rev-parse", "main")
    ended = improve(home, root)
    assert ended.outcome["base"] == base
    assert ended.statuses["F401"] == LANDED
    assert git(root, "merge-base", base, BRANCH) == base
    assert git(root, "show", f"{BRANCH}:tiny/more.py") == "def more():\n    return 1"
