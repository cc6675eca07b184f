"""Builds views from the log: to look at a moment, to compare with the live ones, to replace those."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from events.store import EventStore
from projections import database
from projections import rebuild as building
from projections.comparison import Difference
from projections.database import SCHEMA, Checkpoint
from projections.fold import Poisoned
from projections.queries import Views
from projections.step import View
from projections.table import within
from projections.views.catalogue import VIEWS
from services.cli.desk import at_log, at_views, not_found, open_pool
from services.cli.history.exporting import end_of
from services.cli.history.watched import watched
from services.cli.session import Exit, Stop, print_json, say
from services.cli.tables import show_table
from services.cycle.text import plain_text, shortened
from services.cycle.words import counted
from services.runtime.ground import actor, now
from services.runtime.settings import Settings
from services.steering.letters import close_applied

DIFFERENCES = 20
LONGEST_VALUE = 200
# What a person looks for first; --json has every column.
SHOWN: dict[str, tuple[str, ...]] = {
    "improvement_board": ("rank", "id", "status", "risk", "fixed", "expected", "title"),
    "timeline": ("seq", "time", "actor", "id", "summary"),
    "task_board": ("claimed_seq", "id", "work", "agent", "state", "ended_by"),
    "engine_usage": ("id", "improvement", "role", "engine", "outcome", "duration_ms"),
    "targets": ("id", "title", "scans", "scan_state", "findings", "paused"),
    "deployments": ("id", "kind", "target", "state", "steps", "tip"),
    "budgets": ("id", "limit_micros", "left_micros", "limit_runs", "runs", "running", "exhausted"),
    "access": ("id", "title", "role", "scopes", "expires_at", "revoked", "denied"),
    "outcomes": ("seq", "time", "target", "id", "outcome", "lead_ms", "suite_runs"),
}


def view_of(name: str) -> View:
    """Return the view of that name; ends the command with 3 when there is none."""
    for view in VIEWS:
        if view.name == name:
            return view
    raise not_found("view", name, [view.name for view in VIEWS])


async def replay(settings: Settings, name: str, until: str, *, as_json: bool) -> None:
    """Show the rows of one view as built from the log up to a moment."""
    view = view_of(name)
    async with at_log(settings) as desk, open_pool(desk.ground) as pool:
        end = await end_of(desk, until)
        at, rows = await rows_at(desk.book.store, pool, view, end)
    if as_json:
        print_json({"view": view.name, "seq": at.seq, "chain": at.chain, "rows": rows})
        return
    shown = SHOWN.get(view.name, tuple(view.table.columns))
    cells = [[_plain(row[column]) for column in shown] for row in rows]
    show_table([column.upper() for column in shown], cells, empty="no rows")
    say(f"{view.name}: {counted(len(rows), 'row')} from {counted(at.seq, 'event')}, chain {at.chain}")


async def rows_at(
    store: EventStore, pool: "asyncpg.Pool[asyncpg.Record]", view: View, until: int
) -> tuple[Checkpoint, list[dict[str, Any]]]:
    """Build a view up to a sequence, beside the live one; return the rows that hold then."""
    with watched(store, "replaying the log", until) as log:
        async with building.replayed(log, pool, (view,), until) as there:
            return there.at, [asdict(row) for row in await there.rows(view.table)]


def _plain(value: object) -> object:
    match value:
        case str():
            return plain_text(value)
        case tuple():
            return tuple(_plain(item) for item in value)
        case _:
            return value


@dataclass(frozen=True)
class Comparison:
    """What a check found: events and rows looked at, and where a rebuild comes out otherwise."""

    events: int
    rows: int
    differences: tuple[Difference, ...]


async def check(settings: Settings, name: str, *, as_json: bool) -> None:
    """Compare rebuilt views with the live ones; ends the command with 1 when a value differs."""
    views = (view_of(name),) if name else VIEWS
    async with at_views(settings) as desk:
        found = await compared(desk.book.store, desk.pool, views)
        poisoned = await desk.views.poisoned()
    if as_json:
        print_json({"views": [view.name for view in views], "equal": not found.differences, **asdict(found)})
    for event in poisoned:
        say(_poison(event))
    if not as_json:
        for difference in found.differences:
            print(shortened(str(difference), LONGEST_VALUE))
    looked_at = f"{counted(found.events, 'event')}, {counted(found.rows, 'row')}"
    if found.differences:
        count = len(found.differences)
        told = f"{'at least ' if count == DIFFERENCES else ''}{counted(count, 'difference')}"
        cure = "when the log is sound (aps events verify), aps views rebuild makes the views right"
        raise Stop(Exit.FAILED, f"{looked_at}, {told}; {cure}")
    if not as_json:
        print(f"{looked_at}, equal")


def _poison(event: Poisoned) -> str:
    where = f"{event.aggregate}/{event.id}"
    return f"event {event.seq} ({where}) could not be applied: {plain_text(event.reason)}"


async def compared(
    store: EventStore, pool: "asyncpg.Pool[asyncpg.Record]", views: Sequence[View] = VIEWS
) -> Comparison:
    """Rebuild all views in a scratch schema and compare; differences of other views are left aside."""
    at = await Views(pool).checkpoint()
    with watched(store, "rebuilding the views", at.seq) as log:
        limit = DIFFERENCES if len(views) == len(VIEWS) else 1000 * DIFFERENCES
        found = await building.rebuild_and_compare(log, pool, limit=limit)
    others = {view.name for view in VIEWS} - {view.name for view in views}
    kept = [difference for difference in found if difference.view not in others]
    return Comparison(at.seq, sum([await _count(pool, view) for view in views]), tuple(kept[:DIFFERENCES]))


async def _count(pool: "asyncpg.Pool[asyncpg.Record]", view: View) -> int:
    return int(await pool.fetchval(within(SCHEMA, f"select count(*) from {{schema}}.{view.table.name}")))  # noqa: S608 -- our own name


async def list_views(settings: Settings, *, as_json: bool) -> None:
    """List the views that stand, and how far they are."""
    async with at_log(settings) as desk, open_pool(desk.ground) as pool:
        head = await desk.book.store.head()
        async with pool.acquire() as connection:
            if not await database.exists(connection, SCHEMA):
                raise Stop(Exit.NOT_FOUND, "no views were built yet; build them: aps views rebuild")
            at, versions = await database.checkpoint(connection, SCHEMA)
        poisoned = await Views(pool).poisoned()
        standing = [view for view in VIEWS if view.name in versions]
        rows = {view.name: await _count(pool, view) for view in standing}
    if as_json:
        views = [{"view": name, "version": versions[name], "rows": rows[name]} for name in rows]
        print_json(
            {"checkpoint": at.seq, "head": head, "chain": at.chain, "views": views, "poisoned": poisoned}
        )
        return
    show_table(("VIEW!", "VERSION", "ROWS"), [(name, versions[name], str(rows[name])) for name in rows])
    print(f"at event {at.seq} of {head}, chain {at.chain}")
    for event in poisoned:
        say(_poison(event))


async def rebuild(settings: Settings, *, as_json: bool) -> None:
    """Replace the live views by rebuilt ones."""
    began = time.monotonic()
    async with at_log(settings) as desk, open_pool(desk.ground) as pool:
        with watched(desk.book.store, "rebuilding the views", await desk.book.store.head()) as log:
            at = await building.rebuild(log, pool)
        blocking = {event.seq for event in await Views(pool).poisoned()}
        await close_applied(desk.connection, blocking, actor("cli"), now())
        rows = sum([await _count(pool, view) for view in VIEWS])
    spent = round((time.monotonic() - began) * 1000)
    if as_json:
        print_json({"checkpoint": at.seq, "chain": at.chain, "rows": rows, "ms": spent})
    else:
        built = f"{counted(at.seq, 'event')}, {counted(rows, 'row')}, built anew in {spent} ms"
        print(f"{built}; the former views are kept in aps_before")


async def switch(settings: Settings, *, as_json: bool) -> None:
    """Give the views before the last switch their place back."""
    async with at_log(settings) as desk, open_pool(desk.ground) as pool:
        try:
            at = await building.switch_back(desk.book.store, pool)
        except building.NothingKept as none:
            raise Stop(Exit.NOT_FOUND, str(none)) from none
    if as_json:
        print_json({"checkpoint": at.seq, "chain": at.chain})
    else:
        print(
            f"the views kept in aps_before are live again, at event {at.seq}; the others are kept there now"
        )
