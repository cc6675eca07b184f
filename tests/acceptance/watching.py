"""Looks at a data folder's log from outside, as the inspection user does, and decides as a person does."""

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from events.batch import BATCH
from events.catalogue import read_fact
from events.deployment import DEPLOYMENT
from events.improvement import IMPROVEMENT
from events.store import Recorded
from events.target import TARGET
from services.runtime.data_folder import shared_place
from services.runtime.ground import stand
from services.runtime.log import Log, stamp_of
from services.runtime.settings import load

DEADLINE = 270.0


@asynccontextmanager
async def watching(home: Path) -> AsyncIterator[Log]:
    """Give the log of a data folder, read-only."""
    async with stand(load({"APS_HOME": str(home)})) as ground, ground.log("inspector") as (_, book):
        yield book


async def events_of(home: Path) -> list[Recorded]:
    """Return the whole log."""
    async with watching(home) as book:
        return [event async for event in book.store.read_all()]


def kill_server(home: Path, name: str) -> None:
    """Kill one server of a data folder, as a power cut would; `name` is that of its pid file."""
    for file in shared_place(home).rglob(f"{name}.pid"):
        os.kill(int(file.read_text().split()[0]), signal.SIGKILL)


def kill_servers(home: Path) -> None:
    """Kill NATS and PostgreSQL of a data folder."""
    for name in ("nats-server", "postmaster"):
        kill_server(home, name)


def assert_nothing_twice(events: list[Recorded]) -> None:
    """Each event once; each improvement written once an attempt and landed once; each tree tested once."""
    assert len({event.envelope.id for event in events}) == len(events)
    done: Counter[tuple[str, ...]] = Counter()
    for event in events:
        at, data = event.envelope.address, event.envelope.data
        match at.fact:
            case "tested":
                done[at.id, at.fact, data["tree"], str(data["original_tests"]), str(data["coverage"])] += 1
            case "change_implemented" | "change_refuted":
                done[at.id, at.fact, str(data["attempt"])] += 1
            case "baseline_recorded" | "scanned" | "scan_requested":
                done[at.id, at.fact, data["scan"]] += 1
            case "formed" | "settled" | "closed" | "discovered" | "requirements_specified":
                done[at.id, at.fact] += 1
            case "architecture_designed" | "change_validated" | "change_approved" | "change_deployed":
                done[at.id, at.fact] += 1
            case "benefit_measured" | "abandoned" | "succeeded":
                done[at.id, at.fact] += 1
    assert {key: count for key, count in done.items() if count > 1} == {}


def assert_nothing_claimed(events: list[Recorded], lease: timedelta) -> None:
    """No claim outlives the last fact by more than a lease: what a killed holder left runs out."""
    for kind in (TARGET, IMPROVEMENT, BATCH, DEPLOYMENT):
        own = [event for event in events if event.envelope.address.aggregate == kind.name]
        for id in {event.envelope.address.id for event in own}:
            state = kind.fold(
                (read_fact(e.envelope), stamp_of(e)) for e in own if e.envelope.address.id == id
            )
            claim = state.claim
            assert claim is None or claim.lease_until <= events[-1].envelope.at + lease, (kind.name, id)
