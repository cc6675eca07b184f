"""A cycle killed at any moment and started again ends as if it had never been interrupted."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from events.store import Recorded
from tests.acceptance.command import Ended, improve, start, wait
from tests.acceptance.targets import content, fingerprint, repository, tree
from tests.acceptance.watching import (
    DEADLINE,
    assert_nothing_claimed,
    assert_nothing_twice,
    events_of,
    kill_servers,
    watching,
)

pytestmark = pytest.mark.slow

MOMENTS = 20
LANES = 5
LANES_WITHOUT_SERVERS = (1, 3)
LEASE = {"APS_LEASE_SECONDS": "5"}


async def killed_at(home: Path, root: Path, count: int, *, servers: bool) -> bool:
    """Run `aps improve` and kill it once the log holds `count` events; False when it ended before."""
    process = await asyncio.to_thread(start, home, "improve", str(root), "--json", **LEASE)
    ended = asyncio.create_task(asyncio.to_thread(process.wait))
    try:
        async with asyncio.timeout(DEADLINE), watching(home) as book:
            reached = asyncio.create_task(_reaches(book.store, count))
            await asyncio.wait({reached, ended}, return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            interrupted = process.poll() is None
            _kill(process)
            if servers:
                kill_servers(home)
    finally:
        _kill(process)
        await ended
        process.communicate()
    return interrupted


async def _reaches(store: object, count: int) -> None:
    async with aclosing(store.live()) as events:  # type: ignore[attr-defined]  # any store
        async for event in events:
            if event.seq >= count:
                return


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):  # it may end by itself just now
        os.killpg(process.pid, signal.SIGKILL)


async def lane(home: Path, root: Path, counts: list[int], *, servers: bool) -> tuple[int, Ended]:
    """One cycle, killed each time the log reaches the next count, then left to end."""
    kills = 0
    for count in counts:
        kills += await killed_at(home, root, count, servers=servers)
    return kills, await asyncio.to_thread(lambda: wait(start(home, "improve", str(root), "--json", **LEASE)))


def suite_runs(events: list[Recorded]) -> int:
    """Count from the whole log: the last command may have found everything done."""
    trials = sum(event.envelope.address.fact == "tested" for event in events)
    baselines = [e.envelope.data for e in events if e.envelope.address.fact == "baseline_recorded"]
    return trials + sum(data["suite_runs"] for data in baselines)


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_a_cycle_killed_at_twenty_moments_ends_as_an_uninterrupted_one(
    ground: Path, fresh_home: Callable[[str], Path]
) -> None:
    whole = repository(ground / "targets" / "whole" / "tiny")
    calm = fresh_home("calm")
    uninterrupted = await asyncio.to_thread(improve, calm, whole, **LEASE)
    assert uninterrupted.code == 0, uninterrupted.err
    total = len(await events_of(calm))
    moments = [1 + round(n * (total - 2) / (MOMENTS - 1)) for n in range(MOMENTS)]
    roots = [repository(ground / "targets" / f"lane{n}" / "tiny") for n in range(LANES)]
    homes = [fresh_home(f"lane{n}") for n in range(LANES)]
    before = [fingerprint(root) for root in roots]
    lanes = await asyncio.gather(
        *(
            lane(homes[n], roots[n], moments[n::LANES], servers=n in LANES_WITHOUT_SERVERS)
            for n in range(LANES)
        )
    )
    assert sum(kills for kills, _ in lanes) >= MOMENTS - 1
    for n, (_, ended) in enumerate(lanes):
        assert ended.code == 0, ended.err
        assert content(roots[n]) == content(whole)
        assert tree(roots[n]) == tree(whole)
        assert ended.statuses == uninterrupted.statuses
        assert fingerprint(roots[n]) == before[n]
        events = await events_of(homes[n])
        assert_nothing_twice(events)
        assert_nothing_claimed(events, timedelta(seconds=5))
        assert suite_runs(events) == uninterrupted.outcome["suite_runs"]
