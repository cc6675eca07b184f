"""A log in memory that can be away."""

from collections.abc import Sequence

from events.envelope import Cause
from events.memory import InMemoryArtefacts, InMemoryEventStore
from events.store import Batch, Position, Unavailable
from services.runtime.log import Log
from tests.asking_example import Time


class AwayStore(InMemoryEventStore):
    """A store that takes nothing while it is `away`."""

    away = False

    async def append_many(self, batches: Sequence[Batch], cause: Cause) -> tuple[Position, ...]:
        if self.away:
            raise Unavailable("away")
        return await super().append_many(batches, cause)


def log_of(store: InMemoryEventStore) -> Log:
    return Log(store, InMemoryArtefacts(), Time())
