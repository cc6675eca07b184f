"""A deployment that turns out sick is taken back by itself."""

from pathlib import Path

import pytest

from events.catalogue import read_fact
from events.deployment import HealthChecked
from tests.acceptance.command import aps, improve
from tests.acceptance.conftest import Repositories
from tests.acceptance.targets import BRANCH, commit, fingerprint, git, subjects, write
from tests.acceptance.watching import events_of, watching

pytestmark = pytest.mark.slow

# What it prints is a token's form, which the command itself does not hold.
SICK = "echo token ghp_16C7e42F292c6912E771''0c838347Ae178B4a; test ! -e tiny/words.py"
KEPT = ("B905", "C403", "C416", "F401", "RET505", "SIM103", "SIM201", "UP004", "UP015", "UP031")
# SIM118 breaks the tiny project: it is left out before anything is deployed.
ALL_TAKEN_BACK = {"SIM118": "abandoned", **dict.fromkeys(KEPT, "rolled_back")}


async def facts_of(home: Path, target: str) -> list[tuple[str, str]]:
    """Return what the deployments of a target say, in order: aggregate and fact."""
    events = await events_of(home)
    return [
        (event.envelope.address.aggregate, event.envelope.address.fact)
        for event in events
        if event.envelope.address.id.startswith(target)
        and event.envelope.address.aggregate == "deployment"
        and not event.envelope.address.fact.startswith("work_")
    ]


async def printed_by_health(home: Path, target: str) -> str:
    """What the log keeps of what the health command printed."""
    async with watching(home) as book:
        events = [event.envelope async for event in book.store.read_all()]
        checks = [read_fact(one) for one in events if one.address.id.startswith(target)]
        (check,) = [one for one in checks if isinstance(one, HealthChecked)]
        assert check.output is not None
        return (await book.fetch(check.output)).decode()


async def test_a_failing_health_command_removes_the_branch_it_made(home: Path, target: Repositories) -> None:
    root = target()
    before = fingerprint(root)
    ended = improve(home, root, APS_HEALTH_COMMAND=SICK)
    assert ended.statuses == ALL_TAKEN_BACK
    assert git(root, "branch", "--list", BRANCH) == ""
    assert ended.outcome["head"] == ended.outcome["base"]
    assert ended.outcome["findings_after"] == ended.outcome["findings_before"]
    reasons = {one["reason"] for one in ended.outcome["improvements"] if one["status"] == "rolled_back"}
    assert reasons == {f"the health command ended with 1: {SICK}"}
    assert await printed_by_health(home, ended.outcome["target_id"]) == "token [***]\n"
    told = await facts_of(home, ended.outcome["target_id"])
    assert [fact for _, fact in told] == [
        "started",
        "step_completed",
        "health_checked",
        "failed",
        "rolled_back",
    ]
    assert fingerprint(root) == before


async def test_a_failing_health_command_puts_the_branch_back_where_it_stood(
    home: Path, target: Repositories
) -> None:
    root = target()
    assert improve(home, root).code == 0
    stood = git(root, "rev-parse", BRANCH)
    git(root, "merge", "--quiet", "--ff-only", BRANCH)
    write(root, {"tiny/more.py": "import os\n\n\ndef more(xs):\n    return list([x for x in xs])\n"})
    commit(root, "More")
    ended = improve(home, root, APS_HEALTH_COMMAND="exit 3")
    assert "rolled_back" in ended.statuses.values()
    assert git(root, "rev-parse", BRANCH) == stood


def test_a_passing_health_command_runs_in_the_deployed_tree(home: Path, target: Repositories) -> None:
    root = target()
    ended = improve(home, root, APS_HEALTH_COMMAND="! grep -q 'import sys' tiny/words.py")
    assert ended.statuses["F401"] == "deployment_complete"


async def test_a_health_command_that_hangs_is_ended_and_the_deployment_taken_back(
    home: Path, target: Repositories
) -> None:
    root = target()
    ended = improve(home, root, APS_HEALTH_COMMAND="sleep 3600", APS_HEALTH_TIMEOUT_SECONDS="2")
    assert ended.statuses == ALL_TAKEN_BACK
    assert git(root, "branch", "--list", BRANCH) == ""
    reasons = {one["reason"] for one in ended.outcome["improvements"] if one["status"] == "rolled_back"}
    assert reasons == {
        "the health command did not end within 2 s (APS_HEALTH_TIMEOUT_SECONDS): sleep 3600",
    }
    told = await facts_of(home, ended.outcome["target_id"])
    assert [fact for _, fact in told][-3:] == ["health_checked", "failed", "rolled_back"]
    id = ended.id_of("F401")
    again = aps(home, "improvements", "retry", id, APS_HEALTH_COMMAND="true")
    assert again.code == 0, again.err
    assert "F401" in subjects(root)[-1]
