"""A request that a budget does not allow to go on waits with what is done of it, and goes on once it does."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from events.catalogue import read_fact
from events.improvement_facts import Abandoned, Blocked, Unblocked
from events.run import Requested
from tests.acceptance.command import aps
from tests.acceptance.conftest import Repositories
from tests.acceptance.swarm_script import SwarmApi, while_answering
from tests.acceptance.test_request import PLAN, RIGHT, WISH, asked, draft, untouched, wanted
from tests.acceptance.watching import events_of
from tests.conftest import run

pytestmark = pytest.mark.slow


def test_a_request_waits_for_its_budget_and_lands_once_that_is_raised(
    fresh_home: Callable[[str], Path], target: Repositories
) -> None:
    home, repository = fresh_home("budget"), target({}, name="-budget")
    api = SwarmApi(wanted(), PLAN, [draft(RIGHT)])
    words = ("request", str(repository), WISH, "--json")
    with untouched(repository):
        halted = while_answering(api, aps, home, *words, APS_BUDGET_DAY_RUNS="1")
        (one,) = halted.outcome["improvements"]
        (waiting,) = halted.outcome["waiting"]
        assert one["status"] == "requirements_complete", one["reason"]
        assert "no engine planned it: the budget day-" in one["reason"]
        assert "or a higher APS_BUDGET_DAY or APS_BUDGET_DAY_RUNS" in waiting["needs"]
        again = while_answering(api, aps, home, *words, APS_BUDGET_DAY_RUNS="1")
        assert again.outcome["waiting"] == [waiting], "it was not still waiting"
        (row,) = orjson.loads(aps(home, "improvements", "list", "--json").out)
        assert row["blocked"] == one["reason"]
        unfinished = aps(home, "replay", "--rerun", one["id"], "--json")
        assert "is not over yet" in unfinished.err
        (landed,) = asked(home, repository, api).outcome["improvements"]
    assert (landed["id"], landed["status"]) == (one["id"], "deployment_complete"), landed["reason"]

    facts = [read_fact(event.envelope) for event in run(events_of(home))]
    assert [(one.role, one.task) for one in facts if isinstance(one, Requested)] == [
        ("pm", "requirements"),
        ("architect", "plan"),
        ("developer", "change"),
    ]
    assert [type(one) for one in facts if isinstance(one, Abandoned | Blocked | Unblocked)] == [
        Blocked,
        Unblocked,
    ]
    repeated = aps(home, "replay", "--rerun", one["id"], "--json")
    assert repeated.code == 0, repeated.err + repeated.out
