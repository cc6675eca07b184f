"""A cycle goes on when its servers die under it, and two commands on one target do the work once."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.acceptance.command import improve, start, wait
from tests.acceptance.conftest import Repositories
from tests.acceptance.targets import fingerprint, git, repository, subjects
from tests.acceptance.watching import (
    DEADLINE,
    assert_nothing_twice,
    events_of,
    kill_server,
    watching,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("server", ["nats-server", "postmaster"])
@pytest.mark.parametrize("moment", ["baseline_recorded", "change_implemented"])
async def test_a_cycle_goes_on_when_a_server_is_killed(
    ground: Path, fresh_home: Callable[[str], Path], server: str, moment: str
) -> None:
    name = f"{server}-{moment}"
    home, root = fresh_home(name), repository(ground / "targets" / name)
    before = fingerprint(root)
    process = await asyncio.to_thread(start, home, "improve", str(root), "--json")
    async with asyncio.timeout(DEADLINE), watching(home) as book, aclosing(book.store.live()) as events:
        async for event in events:
            if event.envelope.address.fact == moment:
                break
        kill_server(home, server)
    ended = await asyncio.to_thread(wait, process)
    assert ended.statuses["F401"] == "deployment_complete"
    assert ended.outcome["tests_after"] == {"passed": 6, "failed": 0}
    assert_nothing_twice(await events_of(home))
    assert fingerprint(root) == before


async def test_two_commands_on_one_target_at_the_same_time_do_the_work_once(
    home: Path, target: Repositories
) -> None:
    root = target()
    first, second = (start(home, "improve", str(root), "--json") for _ in range(2))
    one, other = await asyncio.gather(asyncio.to_thread(wait, first), asyncio.to_thread(wait, second))
    assert one.statuses == other.statuses
    assert one.outcome["head"] == other.outcome["head"] == git(root, "rev-parse", "aps/improved")
    assert "under way already" in one.err + other.err
    assert len(subjects(root)) == sum(status == "deployment_complete" for status in one.statuses.values())
    target_id = one.outcome["target_id"]
    own = [event for event in await events_of(home) if target_id in event.envelope.encode().decode()]
    assert_nothing_twice(own)


def test_two_targets_share_the_servers(home: Path, target: Repositories) -> None:
    roots = [target(name=name) for name in ("-one", "-two")]
    ended = [wait(process) for process in [start(home, "improve", str(r), "--json") for r in roots]]
    assert {one.statuses["F401"] for one in ended} == {"deployment_complete"}
    assert improve(home, roots[0]).outcome["suite_runs"] == 0
