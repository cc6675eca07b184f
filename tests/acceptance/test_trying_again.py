"""An improvement that ended is tried again from the start, through every role, when a person asks."""

from pathlib import Path

import pytest

from tests.acceptance.command import aps, improve
from tests.acceptance.conftest import Repositories
from tests.acceptance.targets import BRANCH, WORDS, git, subjects, tree

pytestmark = pytest.mark.slow

LANDED = "deployment_complete"
# What the suite never runs is of medium risk.
UNTESTED = "\n\ndef never(values):\n    return dict([(v, v) for v in values])\n"


def test_what_was_taken_back_lands_again_on_top_of_the_rest(home: Path, target: Repositories) -> None:
    root = target()
    cycle = improve(home, root)
    full, id = tree(root), cycle.id_of("UP004")
    assert aps(home, "improvements", "rollback", id).code == 0
    assert tree(root) != full
    again = aps(home, "improvements", "retry", id, "--reason", "it was not its fault", "--json")
    assert (again.code, again.err.splitlines()[-1]) == (0, "done")
    assert tree(root) == full
    assert "UP004" in subjects(root)[-1]
    refused = aps(home, "improvements", "retry", id)
    assert (refused.code, refused.err.count(f"aps improvements rollback {id}")) == (5, 1)


def test_what_was_declined_is_proven_again_and_waits_for_a_person_again(
    home: Path, target: Repositories
) -> None:
    root = target({"tiny/words.py": WORDS + UNTESTED})
    id = improve(home, root, APS_AUTONOMY="low").id_of("C404")
    assert aps(home, "improvements", "decline", id, "--reason", "not yet").code == 0
    again = aps(home, "improvements", "retry", id, APS_AUTONOMY="low")
    assert again.code == 0, again.err
    (waits,) = [told for told in again.err.splitlines() if told.startswith(f"{id} waits for a person: ")]
    assert waits.endswith(f"aps improvements approve {id}")
    assert aps(home, "improvements", "approve", id).code == 0
    assert "C404" in subjects(root)[-1]


def test_what_breaks_the_suite_is_refused_again_and_nothing_moves(home: Path, target: Repositories) -> None:
    root = target()
    cycle = improve(home, root)
    abandoned = [one["id"] for one in cycle.outcome["improvements"] if one["status"] == "abandoned"]
    tip = git(root, "rev-parse", BRANCH)
    again = aps(home, "improvements", "retry", abandoned[0])
    assert (again.code, f"{abandoned[0]} is abandoned" in again.err) == (1, True)
    assert git(root, "rev-parse", BRANCH) == tip
