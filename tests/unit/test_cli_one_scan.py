"""A look gives PM its own request alone, however often the work is put off."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from events.envelope import Cause
from events.memory import InMemoryArtefacts, InMemoryEventStore
from events.store import Recorded
from events.target import TARGET, Registered, ScanRequested
from services.cli.cycle.one_scan import react, requested
from services.cycle.requesting import Asked, Place
from services.runtime.away import Away
from services.runtime.claims import Later
from services.runtime.log import Log
from services.workspace.target import TargetInspection

CAUSE = Cause(actor="cli", source="/test", correlation=str(UUID(int=7)))


def now() -> datetime:
    return datetime.now(UTC)


class Trying:
    """Meets troubles, one a time, before it does its work."""

    role = "pm"

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.seen: list[Recorded] = []

    async def react(self, event: Recorded) -> None:
        """Do what is asked for once no trouble is left."""
        if self.troubles:
            raise self.troubles.pop(0)
        self.seen.append(event)


def roomy() -> str | None:
    return None


async def asked_twice() -> tuple[Log, Asked]:
    """Two scans of one target were asked for; return the log, and the second."""
    book = Log(InMemoryEventStore(now), InMemoryArtefacts(), now)
    await book.record(TARGET, "t", Registered(path="/t", title="t", origin="/t"), cause=CAUSE)
    for look_only, scan in ((False, "t-s1"), (True, "t-s2")):
        fact = ScanRequested(
            scan=scan,
            base="a" * 40,
            branch="main",
            rules=("F",),
            engine="deterministic",
            limit=0,
            dry_run=False,
            look_only=look_only,
        )
        await book.record(TARGET, "t", fact, cause=CAUSE)
    inspection = TargetInspection(Path("/t"), "a" * 40, "main", dirty=False, notes=())
    return book, Asked(Place("t", Path("/t"), "/t", "t", "/t", inspection), "t-s2", followed=False)


async def test_the_request_of_the_look_is_given_and_no_other() -> None:
    book, asked = await asked_twice()
    assert (await requested(book, asked)).envelope.data["scan"] == "t-s2"


async def test_work_that_is_put_off_is_done_in_the_end() -> None:
    book, asked = await asked_twice()
    event = await requested(book, asked)
    agent = Trying(Later(0.0, "another copy holds it"), Later(0.0, "still"))
    await react(agent, event, roomy, Away())
    assert agent.seen == [event]


async def test_what_fails_is_raised() -> None:
    book, asked = await asked_twice()
    with pytest.raises(ValueError, match="wrong"):
        await react(Trying(ValueError("wrong")), await requested(book, asked), roomy, Away())
