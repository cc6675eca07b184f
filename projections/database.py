"""The schema the views live in: its statements, its one checkpoint, its locks.

Rules
1. Rows and checkpoint change in one transaction, which holds the write lock and compares the checkpoint.
2. One projector at a time leads, by a lock its connection holds; another waits and takes over. The server
   ends a connection whose machine was cut off (within 5 s) or whose process is stuck.
3. Nothing is migrated: a set of views with other versions is built beside and switched to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from events.envelope import NO_HASH
from projections import journal
from projections.step import View
from projections.table import within

if TYPE_CHECKING:
    from projections.connection import Connection

SCHEMA = "aps"
CREATE = """
create schema {schema};
create table {schema}.checkpoint (
  one boolean primary key default true check (one), seq bigint not null, hash text not null,
  chain text not null, versions jsonb not null, updated_at timestamptz not null default now()
);
"""
BEGIN = """
insert into {schema}.checkpoint (seq, hash, chain, versions) values ($1, $2, $3, $4)
"""
# A leader whose machine was cut off sends nothing that tells so: the server asks, and gives its lock free.
KEEP_ALIVE = """
set tcp_keepalives_idle = 2; set tcp_keepalives_interval = 1; set tcp_keepalives_count = 3;
set tcp_user_timeout = 5000;
"""
INDEX_MEMORY = "set local maintenance_work_mem = '128MB';\n"
CHECKPOINT = "select seq, hash, chain, versions from {schema}.checkpoint"
ADVANCE = """
update {schema}.checkpoint set seq = $1, hash = $2, chain = $3, updated_at = clock_timestamp()
where seq = $4 and chain = $5 and versions = $6
"""


@dataclass(frozen=True)
class Checkpoint:
    """How far the views are: the last event applied, its hash, and the chain over the whole log."""

    seq: int = 0
    hash: str = NO_HASH
    chain: str = NO_HASH


class Overtaken(Exception):  # noqa: N818 -- what happened
    """Another projector moved the checkpoint. Read it again and go on from there."""


class OtherVersions(Exception):  # noqa: N818 -- what was found
    """The views standing in the schema were built by another release."""

    def __init__(self, schema: str, standing: dict[str, int], wanted: dict[str, int]) -> None:
        """Name both sets of versions."""
        super().__init__(
            f"the views in {schema} have versions {standing}, this release makes {wanted}:"
            " rebuild them, or run the release they belong to"
        )
        self.newer = any(version > wanted.get(name, 0) for name, version in standing.items())


def channel(schema: str = SCHEMA) -> str:
    """The channel on which each new checkpoint is told."""
    return f"{schema}_views"


def versions_of(views: Sequence[View]) -> dict[str, int]:
    """Return the version of each view."""
    return {view.name: view.version for view in views}


def lock_key(schema: str, purpose: str) -> int:
    """Return the number of an advisory lock, the same in every process."""
    digest = hashlib.sha256(f"aps views {schema} {purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


async def create(connection: Connection, schema: str, views: Sequence[View], *, journaled: bool) -> None:
    """Make the schema and its tables, without the keys and indexes of those to load.

    Without a journal nobody goes on from them: nothing of them need outlive a crash.
    """
    tables = [view.table.create(logged=journaled) for view in views]
    if journaled:
        tables.append(journal.CREATE)
    await connection.execute(within(schema, CREATE + journal.CREATE_POISONED + "".join(tables)))


async def complete(
    connection: Connection, schema: str, views: Sequence[View], at: Checkpoint, *, journaled: bool
) -> None:
    """Make the keys and indexes, and begin at a checkpoint."""
    indexes = [view.table.index for view in views]
    if journaled:
        indexes.append(journal.INDEX)
    await connection.execute(within(schema, INDEX_MEMORY + "".join(indexes)))
    versions = orjson.dumps(versions_of(views)).decode()
    await connection.execute(within(schema, BEGIN), at.seq, at.hash, at.chain, versions)
    await connection.execute("select pg_notify($1, $2)", channel(schema), str(at.seq))


async def require_versions(connection: Connection, schema: str, views: Sequence[View]) -> Checkpoint:
    """Return the checkpoint of a schema that stands. Raises `OtherVersions`."""
    at, standing = await checkpoint(connection, schema)
    wanted = versions_of(views)
    if standing != wanted:
        raise OtherVersions(schema, standing, wanted)
    return at


async def exists(connection: Connection, schema: str) -> bool:
    """Whether views were ever built in the schema."""
    return await connection.fetchval("select to_regclass($1)", f"{schema}.checkpoint") is not None


async def checkpoint(connection: Connection, schema: str) -> tuple[Checkpoint, dict[str, int]]:
    """Return the checkpoint and the versions of the views that stand there."""
    found = await connection.fetchrow(within(schema, CHECKPOINT))
    if found is None:
        return Checkpoint(), {}
    return Checkpoint(found["seq"], found["hash"], found["chain"]), orjson.loads(found["versions"])


async def advance(
    connection: Connection, schema: str, before: Checkpoint, after: Checkpoint, views: Sequence[View]
) -> None:
    """Move the checkpoint and tell it, inside the caller's transaction. Raises `Overtaken`."""
    versions = orjson.dumps(versions_of(views)).decode()
    done = await connection.execute(
        within(schema, ADVANCE), after.seq, after.hash, after.chain, before.seq, before.chain, versions
    )
    if done != "UPDATE 1":
        raise Overtaken(f"the checkpoint of {schema} is no longer {before.seq}")
    await connection.execute("select pg_notify($1, $2)", channel(schema), str(after.seq))


async def hold_write_lock(connection: Connection, schema: str) -> None:
    """Hold the lock on the schema's rows to the end of the transaction."""
    await connection.execute("select pg_advisory_xact_lock($1)", lock_key(schema, "write"))


async def lead(connection: Connection, schema: str) -> bool:
    """Take the lead, kept as long as the connection lives; false when another has it."""
    return bool(await connection.fetchval("select pg_try_advisory_lock($1)", lock_key(schema, "lead")))


async def keep_alive(connection: Connection) -> None:
    """Have the server ask whether the other end still is there."""
    await connection.execute(KEEP_ALIVE)


async def give_signs(connection: Connection, seconds: float) -> None:
    """Have the server end this connection, and its lead, when it is silent for `seconds`."""
    milliseconds = round(seconds * 1000)
    for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
        await connection.execute("select set_config($1, $2, false)", setting, str(milliseconds))


async def allow_silence(connection: Connection) -> None:
    """Let the caller's transaction be silent for as long as it likes."""
    await connection.execute("set local idle_in_transaction_session_timeout = 0")
