"""Loads aggregates from the log and records facts their rules admit."""

import asyncio
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from events.catalogue import read_fact
from events.depth import FIRST
from events.envelope import Cause
from events.fact import AggregateType, Fact, Stamp
from events.store import Artefacts, Batch, Conflict, EventStore, Position, Recorded
from schemas.artefacts import ArtefactRef
from schemas.sealed import Sealed
from services.runtime.tracing import current
from services.vault.keyring import Keyring

StateT = TypeVar("StateT")
CACHED_STATES = 4096
INLINE = "text/plain; in a fact"
ATTEMPTS = 20

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Loaded(Generic[StateT]):
    """An aggregate's state and where it was read."""

    state: StateT
    position: Position


@dataclass(frozen=True)
class Change:
    """Facts that one aggregate should record."""

    kind: AggregateType[Any]
    id: str
    facts: tuple[Fact, ...]


def stamp_of(recorded: Recorded) -> Stamp:
    """Return when and by whom an event was recorded."""
    envelope = recorded.envelope
    return Stamp(envelope.sequence, envelope.at, envelope.actor)


@dataclass(frozen=True)
class Delivered(Recorded):
    """An event as a role is given it; `depth` counts the events that led to it, itself included."""

    depth: int = FIRST


class NoSecret(Exception):  # noqa: N818 -- says what is missing
    """There is no secret, and so no way to what is sealed."""


class Log:
    """The log as an agent uses it: typed states in, admitted facts out."""

    def __init__(
        self,
        store: EventStore,
        artefacts: Artefacts,
        clock: Clock,
        fork: str = "",
        keyring: Keyring | None = None,
    ) -> None:
        """`fork` names the fork the log is of, empty for any other; `keyring` seals what is sensitive."""
        self.store = store
        self.artefacts = artefacts
        self.clock = clock
        self._fork = fork
        self._keyring = keyring
        self._states: OrderedDict[tuple[str, str], Loaded[Any]] = OrderedDict()

    @property
    def fork(self) -> str:
        """The name of the fork the log is of; empty for any other."""
        return self._fork

    async def load(self, kind: AggregateType[StateT], id: str) -> Loaded[StateT]:
        """Return the current state of one aggregate; the initial state when it has no events."""
        cached = self._states.get((kind.name, id)) or Loaded(kind.initial, Position())
        recorded, position = await self.store.read(kind.name, id)
        if cached.position == position:
            return cached
        if cached.position.version > position.version:  # another read was faster than this one
            cached = Loaded(kind.initial, Position())
        state = cached.state
        for event in recorded[cached.position.version :]:
            state = kind.evolve(state, read_fact(event.envelope), stamp_of(event))
        loaded = Loaded(state, position)
        self._states[kind.name, id] = loaded
        if len(self._states) > CACHED_STATES:
            self._states.popitem(last=False)
        return loaded

    async def state(self, kind: AggregateType[StateT], id: str) -> StateT:
        """Return the current state alone."""
        return (await self.load(kind, id)).state

    async def states(self, kind: AggregateType[StateT], ids: Iterable[str]) -> dict[str, StateT]:
        """Return the current states of many aggregates, in the order asked for."""
        ids = tuple(ids)
        return dict(zip(ids, await asyncio.gather(*(self.state(kind, id) for id in ids)), strict=True))

    async def record(self, kind: AggregateType[Any], id: str, *facts: Fact, cause: Cause) -> Position:
        """Record facts on one aggregate. Raises `Rejected` when its rules refuse them now."""
        return (await self.record_all([Change(kind, id, facts)], cause))[0]

    async def record_all(self, changes: Sequence[Change], cause: Cause) -> tuple[Position, ...]:
        """Record facts on several aggregates, all or none; decided again when another writer was faster."""
        cause = in_fork(cause, self._fork)
        for attempt in range(ATTEMPTS):
            batches = await asyncio.gather(*(self._decided(change, cause) for change in changes))
            try:
                return await self.store.append_many(batches, cause)
            except Conflict:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    async def record_on(
        self, loaded: Sequence[tuple[Change, Loaded[Any]]], cause: Cause
    ) -> tuple[Position, ...]:
        """Record facts decided on states as they were loaded, all or none, without a second try.

        Raises `Conflict` where one of them is no longer so, `Rejected` as `record_all` does.
        """
        cause = in_fork(cause, self._fork)
        batches = [self._batch(change, state, cause) for change, state in loaded]
        return await self.store.append_many(batches, cause)

    async def _decided(self, change: Change, cause: Cause) -> Batch:
        return self._batch(change, await self.load(change.kind, change.id), cause)

    def _batch(self, change: Change, loaded: Loaded[Any], cause: Cause) -> Batch:
        now, state = self.clock(), loaded.state
        for n, fact in enumerate(change.facts, start=1):
            change.kind.decide(state, fact, now)
            state = change.kind.evolve(state, fact, Stamp(loaded.position.version + n, now, cause.actor))
        return Batch(change.kind.name, change.id, loaded.position, change.facts)

    async def keep(
        self, content: bytes | str, name: str, media_type: str, *, sealed_for: str | None = None
    ) -> ArtefactRef:
        """Store an artefact and return the reference that events carry.

        With `sealed_for` (a subject, `run/…`) it is stored sealed under the subject's key, and each call
        stores other bytes. Raises `NoSecret`, `KeyDeleted`, `WrongSecret` then.
        """
        body = content.encode() if isinstance(content, str) else content
        if sealed_for is not None:
            body = await self._vault().seal(sealed_for, media_type, body)
        sha256 = await self.artefacts.put(body)
        return ArtefactRef(
            sha256=sha256, size=len(body), media_type=media_type, name=name, sealed_for=sealed_for
        )

    async def fetch(self, ref: ArtefactRef) -> bytes:
        """Return an artefact's content, opened where it is sealed; see `Keyring`. Raises `NoSecret`."""
        body = await self.artefacts.get(ref.sha256)
        if ref.sealed_for is None:
            return body
        return await self._vault().unseal(ref.sealed_for, ref.media_type, body)

    async def conceal(self, text: str, sealed_for: str) -> Sealed:
        """Return a small sensitive text as a fact may carry it. Raises as `keep` does."""
        body = await self._vault().seal(sealed_for, INLINE, text.encode())
        # made here, so it has its form; to look for that again costs as much as sealing
        return Sealed.model_construct(sealed_for=sealed_for, body=b64encode(body).decode())

    async def reveal(self, sealed: Sealed) -> str:
        """Return the text of a sealed value. Raises as `fetch` does."""
        body = await self._vault().unseal(sealed.sealed_for, INLINE, b64decode(sealed.body))
        return body.decode()

    def _vault(self) -> Keyring:
        if self._keyring is None:
            raise NoSecret("SECRET_KEY_BASE is not set: nothing can be sealed, nothing sealed can be read")
        return self._keyring


def in_fork(cause: Cause, fork: str) -> Cause:
    """Return the cause of facts recorded in a fork; `source` carries its name.

    An answer has the same id in the fork as in the log it was opened from, and CloudEvents tells events
    apart by source and id.
    """
    if not fork:
        return cause
    return replace(cause, source=cause.source.replace("aps/", f"aps/fork/{fork}/", 1))


def answering(event: Recorded, actor: str) -> Cause:
    """Return the cause of facts that answer `event`."""
    envelope = event.envelope
    return Cause(
        actor=actor,
        source=f"aps/{actor.partition('@')[0]}",
        correlation=envelope.correlationid,
        event=envelope.id,
        traceparent=current() or envelope.traceparent,
        depth=event.depth if isinstance(event, Delivered) else FIRST,
    )
