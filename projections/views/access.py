"""Access: every token, what it allows and whether it still does, now or at any sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.access import Access
from projections.step import Change, Step, View, ranged
from projections.table import RANGED_INDEXES, Table

LIST = """
select * from {schema}.access
where case when $1::bigint is null then valid_to_seq is null
  else int8range(valid_from_seq, valid_to_seq) @> $1 end
order by granted_at, id
"""


@dataclass(frozen=True)
class AccessRow:
    """A token from `valid_from_seq` until before `valid_to_seq` (None: it still holds).

    `revoked` says why it was; empty as long as it was not. `denied` counts the attempts it was refused.
    """

    id: str
    title: str
    role: str
    scopes: tuple[str, ...]
    expires_at: datetime
    granted_by: str
    revoked: str
    denied: int
    granted_at: datetime
    updated_at: datetime
    valid_from_seq: int
    valid_to_seq: int | None


def row(step: Step) -> AccessRow | None:
    """Return the row after a step, None where no token was granted."""
    state = step.after
    if not isinstance(state, Access) or state.granted is None:
        return None
    return AccessRow(
        id=step.id,
        title=state.granted.title,
        role=state.granted.role,
        scopes=state.granted.scopes,
        expires_at=state.granted.expires_at,
        granted_by=state.granted_by,
        revoked=state.revoked.reason if state.revoked else "",
        denied=state.denied,
        granted_at=state.granted_at or step.began,
        updated_at=step.stamp.time,
        valid_from_seq=step.seq,
        valid_to_seq=None,
    )


def evolve(step: Step) -> Sequence[Change]:
    """Each fact of a token ends its row and begins the next."""
    stood = isinstance(step.before, Access) and step.before.granted is not None
    return ranged(step, stood, row(step))


TABLE = Table("access", AccessRow, ("id", "valid_from_seq"), RANGED_INDEXES)
ACCESS = View(1, TABLE, evolve)
