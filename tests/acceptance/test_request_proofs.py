"""What is proven of a request is what its kind allows; what cannot be proven waits for a person."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from events.catalogue import read_fact
from events.improvement_facts import Blocked, ChangeRefuted, ChangeValidated
from tests.acceptance.command import aps
from tests.acceptance.conftest import Repositories
from tests.acceptance.swarm_script import SwarmApi, while_answering, written
from tests.acceptance.test_request import PLAN, wanted
from tests.acceptance.watching import events_of
from tests.conftest import run
from tests.messages_api import Step

pytestmark = pytest.mark.slow

BEHAVIOUR = "halved gives half of a number"
SOURCE = "def halved(number):\n    return number / 2\n"
TEST = "tests/test_numbers.py"
TESTED = """from tiny import numbers


def test_halved():
    assert numbers.halved(4) == 2
"""


def drafted(files: Mapping[str, str]) -> tuple[Step, ...]:
    proofs = [{"behaviour": BEHAVIOUR, "tests": [f"{TEST}::test_halved"]}]
    return written({**files, TEST: TESTED}, summary="written", proofs=proofs, unfinished="", suspicions=[])


def test_a_missing_test_is_written_and_lands_where_it_runs_what_none_ran(
    fresh_home: Callable[[str], Path], target: Repositories
) -> None:
    home, repository = fresh_home("missing"), target({"tiny/numbers.py": SOURCE}, name="-missing")
    api = SwarmApi(wanted(category="tests", behaviours=[BEHAVIOUR]), PLAN, [drafted({})])
    wish = "halved() has no test"
    outcome = while_answering(api, aps, home, "request", str(repository), wish, "--json").outcome
    (one,) = outcome["improvements"]
    assert one["status"] == "deployment_complete", one["reason"]
    facts = [read_fact(event.envelope) for event in run(events_of(home))]
    assert not any(isinstance(fact, ChangeRefuted) for fact in facts)
    (proven,) = [fact for fact in facts if isinstance(fact, ChangeValidated)]
    shown = next(gate for gate in proven.gates if gate.gate == "behaviours_shown")
    assert "runs 1 line that no test ran before" in shown.evidence


def test_where_there_is_no_suite_a_request_is_proven_by_its_own_tests_and_waits_for_a_person(
    fresh_home: Callable[[str], Path], target: Repositories
) -> None:
    bare: dict[str, str | bytes] = {"tests/test_words.py": "", "tiny/numbers.py": SOURCE.replace("2", "3")}
    home, repository = fresh_home("bare"), target(bare, name="-bare")
    api = SwarmApi(
        wanted(category="bug", behaviours=[BEHAVIOUR]), PLAN, [drafted({"tiny/numbers.py": SOURCE})]
    )
    outcome = while_answering(
        api, aps, home, "request", str(repository), "halved() is wrong", "--json", APS_AUTONOMY="full"
    ).outcome
    (one,) = outcome["improvements"]
    assert one["status"] == "testing_complete", one["reason"]
    facts = [read_fact(event.envelope) for event in run(events_of(home))]
    (waits,) = [fact for fact in facts if isinstance(fact, Blocked)]
    assert "no suite proved anything before the change" in waits.reason
    (proven,) = [fact for fact in facts if isinstance(fact, ChangeValidated)]
    (shown,) = [gate for gate in proven.gates if gate.gate == "behaviours_shown"]
    assert shown.evidence.startswith("1 behaviour shown by 1 test")
