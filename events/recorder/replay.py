"""Loads our aggregates through an `eventsourcing` application: a second way from the log to their states.

The library's repository selects the events and folds them by `mutate`, which calls the aggregate's own
`evolve`. Nothing is ever saved: the recorder below reads only.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    ApplicationRecorder,
    InfrastructureFactory,
    InternalError,
    Mapper,
    NotSupportedError,
    OperationalError,
    StoredEvent,
)
from eventsourcing.popo import POPOFactory
from eventsourcing.utils import Environment, EnvType

from events.catalogue import AGGREGATES, read_fact
from events.envelope import decode
from events.fact import Fact, Stamp
from events.recorder.log import READ_ONLY, LogRecorder
from events.recorder.loop import GivenLoop
from events.store import Broken, EventStore, Unavailable

PAGE = 1000


@dataclass(frozen=True)
class Replayed:
    """An aggregate as its facts make it; `id` is `<aggregate>/<id>`, `state` of the aggregate's own type."""

    id: str
    version: int
    state: Any


@dataclass(frozen=True)
class FactRecorded:
    """A fact as the library's domain event."""

    originator_id: str
    originator_version: int
    fact: Fact
    stamp: Stamp

    def mutate(self, aggregate: Replayed | None) -> Replayed:
        """Return the aggregate after this fact."""
        kind = AGGREGATES[self.originator_id.partition("/")[0]]
        before = kind.initial if aggregate is None else aggregate.state
        state = kind.evolve(before, self.fact, self.stamp)
        return Replayed(self.originator_id, self.originator_version, state)


class EnvelopeMapper(Mapper[str]):
    """Reads the envelopes of the log as domain events."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """Raise `NotSupportedError`: a replay saves nothing."""
        raise NotSupportedError(READ_ONLY)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """Return the fact in an envelope. Raises `UnknownFact` for one this version does not know."""
        envelope = decode(stored_event.state)
        stamp = Stamp(envelope.sequence, envelope.at, envelope.actor)
        event = FactRecorded(envelope.subject, envelope.sequence, read_fact(envelope), stamp)
        return cast("DomainEventProtocol[str]", event)


class Replay(Application[str]):
    """The log as an `eventsourcing` application: `repository.get("improvement/<id>", version=…)`.

    By settings it needs `PERSISTENCE_MODULE=events.recorder`, `NATS_URL` and `NATS_STREAM=APS`.
    """

    name = "replay"

    def construct_mapper(self) -> Mapper[str]:
        """Return the mapper of envelopes."""
        return EnvelopeMapper(transcoder=self.construct_transcoder())

    def aggregates(self) -> Iterator[str]:
        """Yield the ids of all aggregates, in the order of their first facts."""
        seen: set[str] = set()
        after = 0
        while page := self.recorder.select_notifications(after, PAGE, inclusive_of_start=False):
            after = page[-1].id
            for id in (str(notification.originator_id) for notification in page):
                if id not in seen:
                    seen.add(id)
                    yield id


class GivenReplay(Replay):
    """The same over a store that is open already, up to sequence `until` where that is given.

    The store's event loop must run meanwhile: use it from other threads, or by `replayed`.
    """

    def __init__(
        self,
        store: EventStore,
        loop: asyncio.AbstractEventLoop,
        until: int | None = None,
        env: EnvType | None = None,
    ) -> None:
        """The store stays the caller's."""
        self._given = LogRecorder(store, GivenLoop(loop), until=until)
        super().__init__(env)

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """Return a factory for what is not asked of the store; nothing is kept in it."""
        return POPOFactory(env)

    def construct_recorder(self) -> ApplicationRecorder:
        """Return the reader of the given store."""
        return self._given


async def replayed(store: EventStore, id: str, *, until: int | None = None) -> Replayed | None:
    """Return the aggregate `<aggregate>/<id>` as of sequence `until`, None where it has no facts yet.

    Raises as the store does: `Broken`, `Unavailable`.
    """
    replay = GivenReplay(store, asyncio.get_running_loop(), until)
    try:
        with _as_the_store_says():
            return await asyncio.to_thread(lambda: cast("Replayed", replay.repository.get(id)))
    except AggregateNotFoundError:
        return None


async def all_replayed(store: EventStore, *, until: int | None = None) -> dict[str, Replayed]:
    """Return every aggregate of the log as of sequence `until`, by id. Raises as the store does."""
    replay = GivenReplay(store, asyncio.get_running_loop(), until)

    def read() -> dict[str, Replayed]:
        return {id: cast("Replayed", replay.repository.get(id)) for id in replay.aggregates()}

    with _as_the_store_says():
        return await asyncio.to_thread(read)


@contextmanager
def _as_the_store_says() -> Iterator[None]:
    """Raise the store's own trouble where the library's stands for it: our callers know no other."""
    try:
        yield
    except (InternalError, OperationalError) as wrapped:
        if isinstance(wrapped.__cause__, (Broken, Unavailable)):
            raise wrapped.__cause__ from None
        raise
