"""The tallies in the database: each series as a whole, for good, and minute by minute for a while.

Rules
1. Tallies and the place in the stream they reach to change in one transaction, which compares the place:
   whatever is killed or runs twice, no measurement counts twice and none is left out.
2. They stand in a schema of their own, so that views can be built anew beside them.
3. A stream that was made anew is another, and may hold what was put back from a backup of one before: that
   is known by when it came.
4. There are at most `MOST_SERIES`: what would begin another is counted as left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import orjson

from services.gateway.metering.tally import Series, Tallies, Tally, by_series

MOST_SERIES = 1000
MINUTES_KEPT = timedelta(days=90)
CREATE = """
select pg_advisory_xact_lock(7305519832412);
create schema if not exists aps_telemetry;
create table if not exists aps_telemetry.series (
  id bigint generated always as identity primary key, name text not null, unit text not null,
  labels text not null, count bigint not null, sum numeric not null, least numeric not null,
  greatest numeric not null, last numeric not null, last_at timestamptz not null, unique (name, unit, labels)
);
create table if not exists aps_telemetry.minutes (
  series bigint not null, minute timestamptz not null, count bigint not null, sum numeric not null,
  least numeric not null, greatest numeric not null, last numeric not null, last_at timestamptz not null,
  primary key (series, minute)
);
create index if not exists minutes_minute on aps_telemetry.minutes (minute);
create table if not exists aps_telemetry.reached (
  one boolean primary key default true check (one), stream text not null, seq bigint not null,
  left_out bigint not null, latest timestamptz, counted_before timestamptz
);
insert into aps_telemetry.reached (stream, seq, left_out) values ('', 0, 0) on conflict do nothing;
"""
REACHED = "select stream, seq, left_out, latest, counted_before from aps_telemetry.reached"
ADVANCE = """
update aps_telemetry.reached
set stream = $1, seq = $2, left_out = left_out + $5, latest = $6, counted_before = $7
where stream = $3 and seq = $4
"""
KNOWN = """
select name, unit, labels from aps_telemetry.series
where (name, unit, labels) in (select * from unnest($1::text[], $2::text[], $3::text[]))
"""
PUT_SERIES = """
insert into aps_telemetry.series as t (name, unit, labels, count, sum, least, greatest, last, last_at)
select * from unnest($1::text[], $2::text[], $3::text[],
  $4::bigint[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[], $9::timestamptz[])
on conflict (name, unit, labels) do update set count = t.count + excluded.count, sum = t.sum + excluded.sum,
  least = least(t.least, excluded.least), greatest = greatest(t.greatest, excluded.greatest),
  last = case when excluded.last_at >= t.last_at then excluded.last else t.last end,
  last_at = greatest(t.last_at, excluded.last_at)
returning id, name, unit, labels
"""
PUT_MINUTES = """
insert into aps_telemetry.minutes as t (series, minute, count, sum, least, greatest, last, last_at)
select * from unnest($1::bigint[], $2::timestamptz[],
  $3::bigint[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[], $8::timestamptz[])
on conflict (series, minute) do update set count = t.count + excluded.count, sum = t.sum + excluded.sum,
  least = least(t.least, excluded.least), greatest = greatest(t.greatest, excluded.greatest),
  last = case when excluded.last_at >= t.last_at then excluded.last else t.last end,
  last_at = greatest(t.last_at, excluded.last_at)
"""
FORGET = "delete from aps_telemetry.minutes where minute < $1"
LIST = """
select name, unit, labels, count, sum, least, greatest, last, last_at from aps_telemetry.series
where $1 = '' or name = $1 order by name, unit, labels
"""
PARTS = """
select s.name, s.unit, s.labels, date_bin($4, m.minute, 'epoch') as at, sum(m.count)::bigint as count,
  sum(m.sum) as sum, min(m.least) as least, max(m.greatest) as greatest,
  (array_agg(m.last order by m.last_at desc))[1] as last, max(m.last_at) as last_at
from aps_telemetry.minutes m join aps_telemetry.series s on s.id = m.series
where s.name = $1 and m.minute >= $2 and m.minute < $3
group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""


@dataclass(frozen=True)
class Reached:
    """How far the stream is counted: which stream, by when it was made, and its last message.

    `latest` is when the latest of all counted came. What came until `counted_before` was counted from
    a stream before this one, and was put back.
    """

    stream: str = ""
    seq: int = 0
    left_out: int = 0
    latest: datetime | None = None
    counted_before: datetime | None = None


@dataclass(frozen=True)
class Part:
    """The tally of a series in a part of time."""

    series: Series
    at: datetime
    tally: Tally


class Overtaken(Exception):  # noqa: N818 -- what happened
    """Another gateway counted these. Look again how far they are counted."""


class KeptTallies:
    """Reads and writes the tallies. The pool is the caller's. Raises what asyncpg raises."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        """Nothing is made yet; `prepare` does."""
        self._pool = pool

    async def prepare(self) -> None:
        """Make what is not there."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(CREATE)

    async def reached(self) -> Reached:
        """Return how far the stream is counted."""
        found = await self._pool.fetchrow(REACHED)
        return Reached(**dict(found)) if found else Reached()

    async def add(self, before: Reached, after: Reached, tallies: Tallies, now: datetime) -> None:
        """Add what came after `before`, and stand at `after`. Raises `Overtaken`."""
        async with self._pool.acquire() as connection, connection.transaction():
            taken = await _with_room(connection, tallies)
            left_out = after.left_out + sum(one.count for key, one in tallies.items() if key not in taken)
            moved = (after.stream, after.seq, before.stream, before.seq, left_out)
            done = await connection.execute(ADVANCE, *moved, after.latest, after.counted_before)
            if done != "UPDATE 1":
                raise Overtaken
            await _put(connection, taken)
            await connection.execute(FORGET, now - MINUTES_KEPT)

    async def series(self, name: str = "") -> tuple[tuple[Series, Tally], ...]:
        """Return every series, or those of a name, and what it came to so far; none before any was sent."""
        try:
            found = await self._pool.fetch(LIST, name)
        except asyncpg.UndefinedTableError:
            return ()
        return tuple((_series(line), _tally(line)) for line in found)

    async def parts(self, name: str, since: datetime, until: datetime, width: timedelta) -> tuple[Part, ...]:
        """Return what the series of a name came to, in parts of a width, by series and time."""
        found = await self._pool.fetch(PARTS, name, since, until, width)
        return tuple(Part(_series(line), line["at"], _tally(line)) for line in found)


async def _with_room(connection: Any, tallies: Tallies) -> Tallies:
    """Return the tallies of series that are known, or that there is room for."""
    wanted = sorted({series for series, _ in tallies})
    found = await connection.fetch(KNOWN, *_columns(wanted))
    known = {(line["name"], line["unit"], line["labels"]) for line in found}
    room = MOST_SERIES - await connection.fetchval("select count(*) from aps_telemetry.series")
    fresh = [one for one in wanted if (one.name, one.unit, _told(one)) not in known]
    refused = set(fresh[max(0, room) :])
    return {key: tally for key, tally in tallies.items() if key[0] not in refused}


async def _put(connection: Any, tallies: Tallies) -> None:
    whole = by_series(tallies)
    found = await connection.fetch(PUT_SERIES, *_columns(list(whole)), *_numbers(list(whole.values())))
    ids = {(line["name"], line["unit"], line["labels"]): line["id"] for line in found}
    keys = [(ids[one.name, one.unit, _told(one)], minute) for one, minute in tallies]
    ordered = [[key[0] for key in keys], [key[1] for key in keys]]
    await connection.execute(PUT_MINUTES, *ordered, *_numbers(list(tallies.values())))


def _told(series: Series) -> str:
    return orjson.dumps(dict(series.labels)).decode()


def _columns(series: Sequence[Series]) -> tuple[list[str], ...]:
    return [one.name for one in series], [one.unit for one in series], [_told(one) for one in series]


def _numbers(tallies: Sequence[Tally]) -> list[list[int] | list[Decimal] | list[datetime]]:
    return [
        [one.count for one in tallies],
        [one.sum for one in tallies],
        [one.least for one in tallies],
        [one.greatest for one in tallies],
        [one.last for one in tallies],
        [one.last_at for one in tallies],
    ]


def _series(line: Any) -> Series:
    return Series(line["name"], line["unit"], tuple(orjson.loads(line["labels"]).items()))


def _tally(line: Any) -> Tally:
    return Tally(line["count"], line["sum"], line["least"], line["greatest"], line["last"], line["last_at"])
