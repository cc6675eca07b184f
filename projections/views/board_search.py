"""Questions to the improvement board: found, put in order, cut and counted by the database.

Also which improvements stand elsewhere at one sequence of the log than at an earlier one.
"""

from dataclasses import dataclass
from enum import StrEnum

from projections.table import Table
from projections.views.improvement_board import ImprovementRow
from schemas.improvement import Status

_WORDS = """($5::text[] is null
    or concat_ws(' ', id, title, rule, source, reason, array_to_string(files, ' ')) ilike all ($5))"""
_WHERE = """
from {schema}.improvement_board
where {valid}
  and ($2::text is null or target = $2) and ($3::text[] is null or status = any($3))
  and (not $4 or blocked <> '')
  and {words}
"""
_NOW = "valid_to_seq is null and $1::bigint is null"
_AT = "int8range(valid_from_seq, valid_to_seq) @> $1::bigint"
_EACH = """
select part.* from unnest($3::text[]) wanted cross join lateral (
  select * from {stood} where status = wanted and {valid}
    and ($2::text is null or target = $2) and (not $4 or blocked <> '') and {words}
  order by {order} limit $6
) part order by {order}
"""
_STOOD = "with stood as materialized (select * from {schema}.improvement_board where {valid}) "
_FOUND = f"select * {_WHERE} order by {{order}} limit $6 offset $7"
_COUNTED = f"select status, count(*) as number {_WHERE} group by status"
MOVED = """
select id, coalesce(new.title, old.title) as title, coalesce(new.target, old.target) as target,
  coalesce(old.status, '') as before, coalesce(new.status, '') as after
from (select id, title, target, status from {schema}.improvement_board
    where int8range(valid_from_seq, valid_to_seq) @> $1::bigint) old
  full join (select id, title, target, status from {schema}.improvement_board
    where int8range(valid_from_seq, valid_to_seq) @> $2::bigint) new using (id)
where old.status is distinct from new.status
order by 3, 1 limit $3
"""


class Order(StrEnum):
    """What comes first."""

    RANK = "rank"
    NEWEST = "newest"
    RISK = "risk"
    STATUS = "status"


_ORDERS = {
    Order.RANK: "target, rank, id",
    Order.NEWEST: "updated_at desc, id",
    Order.RISK: "case risk when 'high' then 0 when 'medium' then 1 when 'low' then 2 else 3 end, rank, id",
    Order.STATUS: "status, rank, id",
}


@dataclass(frozen=True)
class Search:
    """Which improvements; None and empty are all.

    Each of the `words` stands somewhere in an id, title, rule, source, reason or file. `at_seq` is the
    sequence they stood so at, None for now.
    """

    target: str | None = None
    statuses: tuple[Status, ...] = ()
    words: tuple[str, ...] = ()
    blocked: bool = False
    at_seq: int | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        """What the statements are given."""
        patterns = [f"%{_escaped(word)}%" for word in self.words]
        return (self.at_seq, self.target, list(self.statuses) or None, self.blocked, patterns or None)

    def found(self, order: Order) -> str:
        """Return the statement for rows; it takes a limit and an offset besides."""
        return self._whole(_FOUND).replace("{order}", _ORDERS[order])

    def each(self, order: Order) -> str:
        """Return the statement for the first rows of each of the `statuses`; it takes their limit besides.

        Those of now are found by an index of each status, those of the past in one look at all.
        """
        if self.at_seq is None:
            statement = _EACH.replace("{stood}", "{schema}.improvement_board")
        else:
            statement = self._whole(_STOOD) + _EACH.replace("{stood}", "stood").replace("{valid}", "true")
        return self._whole(statement).replace("{order}", _ORDERS[order])

    @property
    def counted(self) -> str:
        """The statement for how many have each status."""
        return self._whole(_COUNTED)

    def _whole(self, statement: str) -> str:
        return statement.replace("{valid}", _NOW if self.at_seq is None else _AT).replace("{words}", _WORDS)


@dataclass(frozen=True)
class StatusCount:
    """How many improvements have a status."""

    status: Status
    number: int


@dataclass(frozen=True)
class StatusMove:
    """An improvement whose status is another now; `before` is empty where it was not found yet."""

    id: str
    title: str
    target: str
    before: str
    after: str


def _escaped(word: str) -> str:
    return "".join(f"\\{each}" if each in "\\%_" else each for each in word)


FOUND = Table("improvement_board", ImprovementRow, ())
COUNTED = Table("improvement_board", StatusCount, ())
MOVES = Table("improvement_board", StatusMove, ())
