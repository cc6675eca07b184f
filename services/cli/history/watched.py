"""How far a long reading of the log is: a bar on a terminal, nothing elsewhere."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from datetime import datetime

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from events.envelope import Cause
from events.jetstream.stream_reader import Stored
from events.store import Batch, EventStore, Position, Recorded
from projections.building.loading import pages_of
from services.cli.session import words

EVERY = 100  # events between two movements of the bar

Advance = Callable[[int], None]


@contextmanager
def progress(doing: str, total: int) -> Iterator[Advance]:
    """Show a bar on a terminal; what is yielded moves it to a place."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=words, transient=True, disable=not words.is_terminal) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda done: bar.update(task, completed=done)


class WatchedStore:
    """A log that tells how far it was read."""

    def __init__(self, store: EventStore, advance: Advance) -> None:
        """Everything is the store's."""
        self._store = store
        self._advance = advance

    async def read_all(self, after: int = 0, until: int | None = None) -> AsyncIterator[Recorded]:
        """Yield as the store does."""
        async for event in self._store.read_all(after, until):
            if event.seq % EVERY == 0:
                self._advance(event.seq)
            yield event

    async def pages(self, after: int = 0, until: int | None = None) -> AsyncGenerator[list[Stored], None]:
        """Yield as the store does; one that gives no pages has its events made into some."""
        async with aclosing(pages_of(self._store, after, until)) as pages:
            async for page in pages:
                if page:
                    self._advance(page[-1].seq)
                yield page

    def live(self, after: int = 0) -> AsyncIterator[Recorded]:
        """Yield as the store does."""
        return self._store.live(after)

    async def append_many(self, batches: Sequence[Batch], cause: Cause) -> tuple[Position, ...]:
        """Append as the store does."""
        return await self._store.append_many(batches, cause)

    async def read(self, aggregate: str, id: str) -> tuple[tuple[Recorded, ...], Position]:
        """Read as the store does."""
        return await self._store.read(aggregate, id)

    async def as_of(
        self, aggregate: str, id: str, moment: int | datetime
    ) -> tuple[tuple[Recorded, ...], Position]:
        """Read as the store did."""
        return await self._store.as_of(aggregate, id, moment)

    async def position(self, aggregate: str, id: str) -> Position:
        """Tell as the store does."""
        return await self._store.position(aggregate, id)

    async def ids(self, aggregate: str, fact: str) -> tuple[str, ...]:
        """Return which aggregates of a kind have a fact."""
        return await self._store.ids(aggregate, fact)

    async def tally(self, aggregate: str, fact: str) -> Mapping[str, int]:
        """Tell as the store does."""
        return await self._store.tally(aggregate, fact)

    async def head(self) -> int:
        """Tell as the store does."""
        return await self._store.head()

    async def seq_at(self, time: datetime) -> int:
        """Tell as the store does."""
        return await self._store.seq_at(time)


@contextmanager
def watched(store: EventStore, doing: str, total: int) -> Iterator[EventStore]:
    """Give the store for one reading of `total` events, shown by a bar."""
    with progress(doing, total) as advance:
        yield WatchedStore(store, advance)
