"""What a command works at: the log, and the views brought up to the log's head."""

import asyncio
import difflib
import os.path
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from nats.aio.client import Client

from projections.queries import Views
from projections.views.targets import TargetRow
from services.cli.session import Exit, Stop, say
from services.projector.service import run as project
from services.projector.signing import signing
from services.runtime.ending import end
from services.runtime.ground import Ground, now, stand
from services.runtime.log import Log
from services.runtime.moments import NoMoment, NothingThen, seq_named
from services.runtime.settings import Settings
from services.runtime.tls import database_away

VIEWS_SECONDS = 120.0
CONNECTIONS = 8


@dataclass(frozen=True)
class LogDesk:
    """The ground, a connection as `cli`, and the log."""

    ground: Ground
    connection: Client
    book: Log

    async def seq_at(self, at: str) -> int | None:
        """Return the sequence that `at` names (see `seq_named`), None when it is empty.

        Ends the command with 2, or with 3 where nothing stands there.
        """
        try:
            return await seq_named(self.book.store, at, now())
        except NoMoment as problem:
            raise Stop(Exit.USAGE, str(problem)) from None
        except NothingThen as problem:
            raise Stop(Exit.NOT_FOUND, str(problem)) from None


@dataclass(frozen=True)
class Desk(LogDesk):
    """The views besides: at the log's head as it was when the desk was opened, and following it."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    views: Views

    async def catch_up(self) -> None:
        """Wait until the views are at the head of the log as it is now."""
        await self.views.wait_until(await self.book.store.head(), VIEWS_SECONDS)

    async def target(self, named: str) -> TargetRow:
        """Return the target with that id, title or path; ends the command with 3 when there is none."""
        rows = await self.views.targets()
        path = os.path.abspath(named)  # noqa: PTH100, ASYNC240 -- nothing is looked up on the disk
        found = [r for r in rows if named in (r.id, r.title, r.origin) or r.path in (named, path)]
        if len(found) > 1:
            raise Stop(Exit.USAGE, f"{named!r} names several targets: {', '.join(r.id for r in found)}")
        if not found:
            raise not_found("target", named, [name for r in rows for name in (r.id, r.title)])
        return found[0]


@asynccontextmanager
async def at_log(settings: Settings) -> AsyncIterator[LogDesk]:
    """Stand on ready ground with the log open as `cli`."""
    async with stand(settings, say) as ground, ground.log("cli") as (connection, book):
        for note in ground.notes:
            say(f"note: {note}")
        yield LogDesk(ground, connection, book)


@asynccontextmanager
async def at_views(settings: Settings) -> AsyncIterator[Desk]:
    """Stand at the log with the views caught up, which a projector follows as long as the block runs."""
    async with (
        at_log(settings) as desk,
        open_pool(desk.ground) as pool,
        signing(settings, pool, desk.connection),
    ):
        views = Views(pool)
        projecting = asyncio.create_task(project(desk.book.store, pool))
        try:
            await _first_of(views, await desk.book.store.head(), projecting)
            yield Desk(desk.ground, desk.connection, desk.book, pool, views)
        finally:
            await end(projecting)


@asynccontextmanager
async def open_pool(ground: Ground) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    """Open the database. Ends the command with 6 when it is out of reach."""
    try:
        pool = await ground.pool(1, CONNECTIONS, 10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as problem:
        raise Stop(Exit.UNAVAILABLE, database_away(ground.database_url, problem)) from problem
    async with pool:
        yield pool


async def _first_of(views: Views, seq: int, projecting: asyncio.Task[None]) -> None:
    """Wait for the views; a projector that cannot go on says why."""
    waiting = asyncio.create_task(views.wait_until(seq, VIEWS_SECONDS))
    await asyncio.wait((waiting, projecting), return_when=asyncio.FIRST_COMPLETED)
    if projecting.done():
        waiting.cancel()
        projecting.result()
    try:
        await waiting
    except TimeoutError:
        late = f"the views did not reach event {seq} within {VIEWS_SECONDS:.0f} s; see: aps doctor"
        raise Stop(Exit.TIMED_OUT, late) from None


def not_found(kind: str, named: str, known: Iterable[str]) -> Stop:
    """Say that nothing is called so, and what comes nearest."""
    names = sorted(set(known))
    near = difflib.get_close_matches(named, names, n=3, cutoff=0.6)
    near += [n for n in names if named and n not in near and (n.startswith(named) or named in n)][:3]
    hint = f"; nearest: {', '.join(near)}" if near else "; there is none yet" if not names else ""
    return Stop(Exit.NOT_FOUND, f"there is no {kind} {named!r}{hint}")
