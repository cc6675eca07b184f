"""How many rows stand in each state, for whoever watches: improvements, claims, calls of engines."""

from dataclasses import dataclass

from projections.table import Table

IMPROVEMENTS = """
select target as what, status as state, count(*) as number from {schema}.improvement_board
where valid_to_seq is null group by 1, 2 order by 1, 2
"""
CLAIMS = """
select work as what, case when state = 'running' and lease_until <= now() then 'expired' else state end
  as state, count(*) as number
from {schema}.task_board where valid_to_seq is null group by 1, 2 order by 1, 2
"""
CALLS = """
select engine, model, outcome, billing, count(*) as calls, sum(duration_ms)::bigint as duration_ms,
  sum(tokens_in)::bigint as tokens_in, sum(tokens_out)::bigint as tokens_out,
  sum(tokens_cached)::bigint as tokens_cached, sum(cost_micros)::bigint as cost_micros
from {schema}.engine_usage where valid_to_seq is null group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""


@dataclass(frozen=True)
class CountRow:
    """How many of what are in a state."""

    what: str
    state: str
    number: int


@dataclass(frozen=True)
class CallsRow:
    """Calls of an engine that came to the same, and what they took together."""

    engine: str
    model: str
    outcome: str
    billing: str
    calls: int
    duration_ms: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_micros: int


COUNTS = Table("counts", CountRow, ())
CALL_COUNTS = Table("counts", CallsRow, ())
