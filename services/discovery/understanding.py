"""Reads a delivery and asks for what it means, of the targets it is about.

Rules
1. Only targets in the swarm's care are asked about: nobody names a new place on this machine from outside.
2. What is asked for answers the delivery's event, so the chain of causes goes on and its length counts.
3. A delivery that comes again after its scan was asked for follows that scan; see `ask_because`.
4. While everything is paused nothing is read; it is when work goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from events.delivery import DELIVERY, Received, Understood
from events.envelope import Cause
from events.fact import Rejected
from events.target import TARGET, Registered, Target
from schemas.delivery import Outcome, Source
from services.cycle.requesting import ENGINE, Place, Wish, ask_because, place_of
from services.discovery import github, told
from services.discovery.meaning import Meaning
from services.discovery.remotes import remotes
from services.engines.choosing import AUTO
from services.runtime.claims import Halted, why_paused
from services.runtime.log import Log
from services.vault.keyring import KeyDeleted
from services.workspace.checkout import Workspace
from services.workspace.git.command import GitError
from services.workspace.target import TargetProblem

log = structlog.get_logger()


@dataclass(frozen=True)
class Asked:
    """What came of asking about one target; `scan` is empty where nothing was asked for."""

    target: str
    said: str
    scan: str = ""


@dataclass(frozen=True)
class Discovery:
    """Understands deliveries; `label` makes a GitHub issue a request."""

    book: Log
    workspace: Workspace
    label: str

    async def understand(self, id: str, cause: Cause) -> None:
        """Read one delivery, ask for what it means and record it; nothing where that was done."""
        delivery = await self.book.state(DELIVERY, id)
        if delivery.received is None or delivery.understood is not None:
            return
        if paused := await why_paused(self.book):
            raise Halted(paused)
        understood = await self._understood(delivery.received, cause)
        log.info("a delivery was understood", delivery=id, **understood.model_dump(mode="json"))
        await self.book.record(DELIVERY, id, understood, cause=cause)

    async def _understood(self, received: Received, cause: Cause) -> Understood:
        try:
            payload = await self._payload(received)
        except KeyDeleted:
            return Understood(outcome=Outcome.HELD, said="the key of what was sent was deleted")
        meant = meaning(received, payload, self.label)
        if meant.outcome is not Outcome.REQUESTED:
            return Understood(outcome=meant.outcome, said=meant.said)
        about = await self._about(received, meant)
        if not about:
            whom = f"is {meant.target!r}" if meant.target else f"is a clone of {received.about or 'nothing'}"
            return Understood(outcome=Outcome.UNKNOWN, said=f"{meant.said}, but no target here {whom}")
        return _told(meant, [await self._asked(id, state, meant, cause) for id, state in about.items()])

    async def _payload(self, received: Received) -> Mapping[str, Any]:
        if received.sealed is not None:
            text: str | bytes = await self.book.reveal(received.sealed)
        else:
            assert received.payload is not None  # noqa: S101 -- the rules of a delivery
            text = await self.book.fetch(received.payload)
        found: Mapping[str, Any] = orjson.loads(text)
        return found

    async def _about(self, received: Received, meant: Meaning) -> dict[str, Target]:
        """Return the targets that a delivery is about."""
        known = await self.book.states(TARGET, await self.book.store.ids(TARGET.name, Registered.name))
        found: dict[str, Target] = {}
        for id, state in known.items():
            if state.registered is None:  # what stands on its subject is no event
                continue
            if received.source is not Source.GITHUB:
                is_meant = meant.target in (id, state.registered.title)
            else:
                is_meant = received.about in await self._remotes(state.registered)
            if is_meant:
                found[id] = state
        return found

    async def _remotes(self, registered: Registered) -> frozenset[str]:
        try:
            return await remotes(self.workspace.path(registered.path))
        except (GitError, OSError) as problem:
            log.warning("a target's remotes cannot be read", path=registered.path, problem=str(problem))
            return frozenset()

    async def _asked(self, id: str, state: Target, meant: Meaning, cause: Cause) -> Asked:
        assert state.registered is not None  # noqa: S101 -- the caller found it so
        try:
            place = await place_of(id, state.registered, self.workspace)
            if why := why_not(state, place, meant):
                return Asked(id, why)
            engine = AUTO if meant.words else ENGINE
            wish = Wish(id, request=meant.words, engine=engine, context=meant.context)
            asked = await ask_because(self.book, place, wish, cause)
        except (Rejected, TargetProblem, KeyDeleted) as problem:
            return Asked(id, str(problem))
        return Asked(id, "", asked.scan)


def meaning(received: Received, payload: Mapping[str, Any], label: str) -> Meaning:
    """Return what a delivery means, by who sent it."""
    match received.source:
        case Source.GITHUB:
            return github.meaning(received.event, payload, label)
        case Source.N8N:
            return told.by_workflow(payload)
        case Source.SYSTEM:
            return told.by_system(received.event, payload)


def why_not(state: Target, place: Place, meant: Meaning) -> str:
    """Say why a target is not asked about; empty where it is."""
    if meant.branch and meant.branch != place.inspection.branch:
        return f"it stands on another branch than {meant.branch[:100]!r}"
    scans = [one for one in state.scans.values() if not one.requested.look_only]
    if meant.once and any(one.requested.request == meant.words for one in scans):
        return "the same was asked for before"
    searched = any(
        one.done is not None and not one.requested.request and one.requested.base == place.inspection.head
        for one in scans
    )
    if not meant.words and searched:
        return (
            f"its commit {place.inspection.head[:12]} was searched before: what was pushed is not there yet"
        )
    return ""


def _told(meant: Meaning, asked: Sequence[Asked]) -> Understood:
    first = next((one for one in asked if one.scan), None)
    others = [f"{one.target}: {one.said}" for one in asked if not one.scan]
    said = "; ".join([meant.said, *others])[:2000]
    if first is None:
        return Understood(outcome=Outcome.HELD, said=said, target=asked[0].target)
    return Understood(outcome=Outcome.REQUESTED, said=said, target=first.target, scan=first.scan)
