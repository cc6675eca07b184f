"""What people and services ask of the views: typed rows, now or as of a sequence of the log."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from projections import database, journal
from projections.database import SCHEMA, Checkpoint, channel
from projections.fold import Poisoned
from projections.journal import JournalRow
from projections.table import Row, Table, within
from projections.views import (
    access,
    board_search,
    budgets,
    counts,
    deployments,
    engine_usage,
    improvement_board,
    outcomes,
    targets,
    task_board,
    timeline,
)
from projections.views.access import AccessRow
from projections.views.board_search import Order, Search, StatusMove
from projections.views.budgets import BudgetRow
from projections.views.counts import CallsRow, CountRow
from projections.views.deployments import DeploymentRow
from projections.views.engine_usage import By, RunRow, UsageRow
from projections.views.improvement_board import ImprovementRow
from projections.views.outcomes import OutcomeRow, OutcomesBy, OutcomeSums
from projections.views.targets import TargetRow
from projections.views.task_board import TaskRow, TaskState
from projections.views.timeline import TimelineRow
from schemas.improvement import Status

if TYPE_CHECKING:
    from projections.connection import Connection, Pool

DAY = timedelta(days=1)
RECHECK_SECONDS = 1.0  # a notification lost in a reconnect costs this much
JOURNAL = "select * from {schema}.journal where seq > $1 order by seq limit $2"
OF_AGGREGATE = """
select * from {schema}.journal
where aggregate = $1 and id = $2 and version > 0 and ($3::bigint is null or seq <= $3)
order by version
"""
POISONED = "select * from {schema}.poisoned order by seq"

RowT = TypeVar("RowT", bound=Row)


class Views:
    """Reads the views of one schema. The pool is the caller's. Raises what asyncpg raises."""

    def __init__(self, pool: Pool, schema: str = SCHEMA) -> None:
        """`schema` is the one the projector writes to."""
        self._pool = pool
        self._schema = schema

    async def improvements(
        self, target: str | None = None, status: Status | None = None, at_seq: int | None = None
    ) -> tuple[ImprovementRow, ...]:
        """Return improvements by target and rank."""
        table = improvement_board.TABLE
        if at_seq is None:
            return await self._rows(table, improvement_board.LIST_NOW, target, status)
        return await self._rows(table, improvement_board.LIST, at_seq, target, status)

    async def improvement(self, id: str, at_seq: int | None = None) -> ImprovementRow | None:
        """Return one improvement, None when there was none."""
        rows = await self._rows(improvement_board.TABLE, improvement_board.ONE, id, at_seq)
        return rows[0] if rows else None

    async def found(
        self, search: Search, order: Order = Order.RANK, limit: int | None = None, offset: int = 0
    ) -> tuple[ImprovementRow, ...]:
        """Return a part of the improvements that a search finds, in an order."""
        statement = search.found(order)
        return await self._rows(board_search.FOUND, statement, *search.arguments, limit, offset)

    async def first_of_each(self, search: Search, order: Order, limit: int) -> tuple[ImprovementRow, ...]:
        """Return the first improvements of each status of a search, which names its statuses, in an order."""
        return await self._rows(board_search.FOUND, search.each(order), *search.arguments, limit)

    async def counted(self, search: Search) -> dict[Status, int]:
        """Return how many of the improvements that a search finds have each status."""
        rows = await self._rows(board_search.COUNTED, search.counted, *search.arguments)
        return {row.status: row.number for row in rows}

    async def moved(self, since: int, until: int, limit: int) -> tuple[StatusMove, ...]:
        """Return the improvements whose status is another at `until` than at `since`, the first by id."""
        return await self._rows(board_search.MOVES, board_search.MOVED, since, until, limit)

    async def timeline(self, id: str, at_seq: int | None = None) -> tuple[TimelineRow, ...]:
        """Return what happened to an improvement, oldest first."""
        return await self._rows(timeline.TABLE, timeline.OF_IMPROVEMENT, id, at_seq)

    async def tasks(
        self,
        state: TaskState | None = None,
        agent: str | None = None,
        aggregate: str | None = None,
        id: str | None = None,
        at_seq: int | None = None,
    ) -> tuple[TaskRow, ...]:
        """Return claims, oldest first. `TaskRow.expired` says which running ones may be taken over."""
        table, asked = task_board.TABLE, (state, agent, aggregate, id)
        if at_seq is None:
            return await self._rows(table, task_board.LIST_NOW, *asked)
        return await self._rows(table, task_board.LIST_AT, *asked, at_seq)

    async def usage(
        self, by: By, improvement: str | None = None, at_seq: int | None = None
    ) -> tuple[UsageRow, ...]:
        """Return sums of engine calls, of one improvement or all, by something and by who pays."""
        return await self._rows(engine_usage.USAGE, by.sums, improvement, at_seq)

    async def budgets(self, at_seq: int | None = None) -> tuple[BudgetRow, ...]:
        """Return the budgets, those opened first before others."""
        return await self._rows(budgets.TABLE, budgets.LIST, at_seq)

    async def running_budgets(self) -> tuple[BudgetRow, ...]:
        """Return the budgets of a time that is not over yet."""
        return await self._rows(budgets.TABLE, budgets.RUNNING)

    async def access(self, at_seq: int | None = None) -> tuple[AccessRow, ...]:
        """Return the tokens, those granted first before others."""
        return await self._rows(access.TABLE, access.LIST, at_seq)

    async def runs(
        self, improvement: str | None = None, outcome: str | None = None, at_seq: int | None = None
    ) -> tuple[RunRow, ...]:
        """Return engine calls, oldest first."""
        table = engine_usage.TABLE
        if at_seq is None:
            return await self._rows(table, engine_usage.RUNS, improvement, outcome)
        return await self._rows(table, engine_usage.RUNS_AT, at_seq, improvement, outcome)

    async def targets(self, at_seq: int | None = None) -> tuple[TargetRow, ...]:
        """Return targets by title."""
        return await self._rows(targets.TABLE, targets.LIST, at_seq)

    async def target(self, id: str, at_seq: int | None = None) -> TargetRow | None:
        """Return one target, None when there was none."""
        rows = await self._rows(targets.TABLE, targets.ONE, id, at_seq)
        return rows[0] if rows else None

    async def deployments(
        self, target: str | None = None, at_seq: int | None = None
    ) -> tuple[DeploymentRow, ...]:
        """Return deployments, oldest first."""
        return await self._rows(deployments.TABLE, deployments.LIST, at_seq, target)

    async def outcomes(
        self, at_seq: int | None = None, since: datetime | None = None, target: str | None = None
    ) -> tuple[OutcomeRow, ...]:
        """Return what the work came to, event by event, oldest first."""
        return await self._rows(outcomes.TABLE, outcomes.LIST, at_seq, since, target)

    async def outcome_sums(
        self,
        by: OutcomesBy,
        since: datetime,
        until: datetime,
        at_seq: int | None = None,
        target: str | None = None,
        width: timedelta = DAY,
    ) -> tuple[OutcomeSums, ...]:
        """Return the measures of a time, of one target or all; by time in parts of a `width`."""
        return await self._rows(outcomes.SUMMED, by.sums, at_seq, since, until, target, width)

    async def outcome_parts(
        self,
        since: datetime,
        until: datetime,
        at_seq: int | None = None,
        target: str | None = None,
        width: timedelta = DAY,
    ) -> tuple[OutcomeSums | None, tuple[OutcomeSums, ...]]:
        """Return the measures of a time and of its parts, read at once; None before a projector ever ran."""
        statement = OutcomesBy.TIME.sums_and_whole
        rows = await self._rows(outcomes.SUMMED, statement, at_seq, since, until, target, width)
        return (rows[0], rows[1:]) if rows else (None, ())

    async def improvement_counts(self) -> tuple[CountRow, ...]:
        """Return how many improvements of each target have each status."""
        return await self._rows(counts.COUNTS, counts.IMPROVEMENTS)

    async def claim_counts(self) -> tuple[CountRow, ...]:
        """Return how many claims on each kind of work are in each state; one whose lease is over, expired."""
        return await self._rows(counts.COUNTS, counts.CLAIMS)

    async def call_counts(self) -> tuple[CallsRow, ...]:
        """Return what calls of each engine came to."""
        return await self._rows(counts.CALL_COUNTS, counts.CALLS)

    async def journal(self, after: int = 0, limit: int = 1000) -> tuple[JournalRow, ...]:
        """Return lines of the journal in order."""
        found = await self._pool.fetch(within(self._schema, JOURNAL), after, limit)
        return tuple(JournalRow(**{name: line[name] for name in journal.COLUMNS}) for line in found)

    async def journaled(self, aggregate: str, id: str, at_seq: int | None = None) -> tuple[JournalRow, ...]:
        """Return the lines of one aggregate's events, oldest first."""
        found = await self._pool.fetch(within(self._schema, OF_AGGREGATE), aggregate, id, at_seq)
        return tuple(JournalRow(**{name: line[name] for name in journal.COLUMNS}) for line in found)

    async def poisoned(self) -> tuple[Poisoned, ...]:
        """Return the events that could not be applied, and messages that are none."""
        found = await self._pool.fetch(within(self._schema, POISONED))
        return tuple(Poisoned(**dict(line)) for line in found)

    async def checkpoint(self) -> Checkpoint:
        """Return how far the views are; the zero checkpoint before a projector ever ran."""
        async with self._pool.acquire() as connection:
            return await self._checkpoint(connection)

    async def wait_until(self, seq: int, timeout: float) -> Checkpoint:  # noqa: ASYNC109 -- the deadline is the question
        """Return as soon as the views are at `seq`. Raises TimeoutError after `timeout` seconds."""
        moved = asyncio.Event()

        def tell(*_: object) -> None:
            moved.set()

        async with asyncio.timeout(timeout), self._pool.acquire() as connection:
            await connection.add_listener(channel(self._schema), tell)
            try:
                while (at := await self._checkpoint(connection)).seq < seq:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(RECHECK_SECONDS):
                            await moved.wait()
                    moved.clear()
                return at
            finally:
                await connection.remove_listener(channel(self._schema), tell)

    async def _checkpoint(self, connection: Connection) -> Checkpoint:
        try:
            return (await database.checkpoint(connection, self._schema))[0]
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            return Checkpoint()

    async def _rows(self, table: Table[RowT], statement: str, *arguments: Any) -> tuple[RowT, ...]:
        try:
            found = await self._pool.fetch(within(self._schema, statement), *arguments)
        except asyncpg.UndefinedTableError:
            return ()  # no projector ever ran: nothing was seen yet, as `checkpoint` says too
        return tuple(table.read(line) for line in found)
