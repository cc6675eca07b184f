"""The journal: every event as it stood on the log, with a hash that chains the whole log.

It is the second durable copy of the log, and what aggregates' states are restored from.
`chain` = sha256 of the chain before it and the event's own hash, from 64 zeros.

A message that is no event has a line as well, with what stands in for it. It is no version of its aggregate:
its `version` is its sequence, negative.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from events.envelope import NO_EVENT, Unreadable, decode
from events.store import Recorded
from events.subjects import place
from events.unreadable import Message, is_unreadable, message_in, stand_in, subject_at
from projections.fold import Key, Poisoned, Standing, key_of, restored
from projections.table import within

if TYPE_CHECKING:
    from projections.connection import Connection

CREATE = """
create table {schema}.journal (
  seq bigint not null, aggregate text not null, id text not null, version bigint not null,
  type text not null, hash text not null, chain text not null, envelope json not null
);
"""
INDEX = """
alter table {schema}.journal add primary key (seq);
create unique index journal_1 on {schema}.journal (aggregate, id, version);
"""
CREATE_POISONED = """
create table {schema}.poisoned (
  seq bigint primary key, aggregate text not null, id text not null, reason text not null
);
create index poisoned_1 on {schema}.poisoned (aggregate, id);
"""
COLUMNS = ("seq", "aggregate", "id", "version", "type", "hash", "chain", "envelope")
OF_AGGREGATES = """
select j.seq, j.aggregate, j.id, j.envelope
from unnest($1::text[], $2::text[]) as k (aggregate, id)
join {schema}.journal j on j.aggregate = k.aggregate and j.id = k.id
order by j.seq
"""
POISONS = """
select p.aggregate, p.id, min(p.seq) as seq
from unnest($1::text[], $2::text[]) as k (aggregate, id)
join {schema}.poisoned p on p.aggregate = k.aggregate and p.id = k.id
join {schema}.journal j on j.seq = p.seq and j.version > 0
group by p.aggregate, p.id
"""
BLOCKING = """
select p.seq, j.aggregate || '/' || j.id as aggregate, j.type, p.reason
from {schema}.poisoned p join {schema}.journal j on j.seq = p.seq order by p.seq
"""
ANY_POISONED = "select exists (select from {schema}.poisoned)"
POISON = "insert into {schema}.poisoned (seq, aggregate, id, reason) values ($1, $2, $3, $4)"


@dataclass(frozen=True)
class JournalRow:
    """One line of the journal. `envelope` is the event's JSON, byte for byte, or that of a stand-in."""

    seq: int
    aggregate: str
    id: str
    version: int
    type: str
    hash: str
    chain: str
    envelope: str


@dataclass(frozen=True)
class Blocking:
    """An event that could not be applied, where it stands on the log, and why."""

    seq: int
    subject: str
    reason: str


def chained(chain: str, hash: str) -> str:
    """Return the chain after an event with `hash`."""
    return hashlib.sha256((chain + hash).encode()).hexdigest()


def lines(events: Iterable[Recorded], chain: str) -> list[JournalRow]:
    """Return the journal's lines for events that follow `chain`."""
    rows = []
    for recorded in events:
        envelope, key = recorded.envelope, key_of(recorded)
        chain = chained(chain, envelope.hash)
        body = envelope.encode().decode()
        rows.append(
            JournalRow(
                recorded.seq, *key, version_of(recorded), _plain(envelope.type), envelope.hash, chain, body
            )
        )
    return rows


def version_of(recorded: Recorded) -> int:
    """Return what stands as the version: no two lines of an aggregate may have the same."""
    return -recorded.seq if is_unreadable(recorded.envelope) else recorded.envelope.sequence


def message_of(row: JournalRow) -> Message:
    """Return the message of the log that a line was made of. Raises `Unreadable` for an altered line."""
    line = row.envelope.encode()
    if row.type.endswith(NO_EVENT):
        return message_in(line)
    return Message(place(f"{row.aggregate}/{row.id}", fact_of(row.type)), line)


def event_in(seq: int, envelope: str) -> Recorded:
    """Return the event of a line, or what stands in for none. Raises `Unreadable` for an altered line."""
    line = envelope.encode()
    try:
        return Recorded(seq, decode(line))
    except Unreadable:
        return Recorded(seq, stand_in(seq, *message_in(line)))


def _plain(text: str) -> str:
    return text.replace("\0", "\ufffd")


async def write(connection: Connection, schema: str, rows: Iterable[JournalRow]) -> None:
    """Add lines to the journal."""
    records = [tuple(getattr(row, column) for column in COLUMNS) for row in rows]
    await connection.copy_records_to_table(
        "journal", records=records, columns=list(COLUMNS), schema_name=schema
    )


async def write_poisoned(connection: Connection, schema: str, poisoned: Iterable[Poisoned]) -> None:
    """Record the events that could not be applied."""
    records = [(p.seq, p.aggregate, p.id, _plain(p.reason)) for p in poisoned]
    await connection.executemany(within(schema, POISON), records)


async def blocking_any(connection: Connection, schema: str) -> bool:
    """Whether an event blocks an aggregate; the journal need not be there."""
    return bool(await connection.fetchval(within(schema, ANY_POISONED)))


async def blocking(connection: Connection, schema: str) -> list[Blocking]:
    """Return the events that block their aggregates."""
    return [
        Blocking(found["seq"], subject_at(found["aggregate"], fact_of(found["type"])), found["reason"])
        for found in await connection.fetch(within(schema, BLOCKING))
    ]


def fact_of(type: str) -> str:
    """Return the fact's name in an event's type."""
    return type.split(".")[2]


async def standings(connection: Connection, schema: str, keys: Iterable[Key]) -> dict[Key, Standing]:
    """Restore where aggregates stand from all their events; those never seen are left out."""
    asked = list(keys)
    pair = ([aggregate for aggregate, _ in asked], [id_ for _, id_ in asked])
    events: dict[Key, list[Recorded]] = defaultdict(list)
    for found in await connection.fetch(within(schema, OF_AGGREGATES), *pair):
        events[found["aggregate"], found["id"]].append(event_in(found["seq"], found["envelope"]))
    if not events:
        return {}
    poisons = {
        (found["aggregate"], found["id"]): found["seq"]
        for found in await connection.fetch(within(schema, POISONS), *pair)
    }
    return {key: restored(history, poisons.get(key, 0)) for key, history in events.items()}
