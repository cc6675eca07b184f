"""What is appended in the benchmarks of the log: events of about 600 bytes as they stand on the stream."""

from datetime import UTC, datetime

from events.envelope import Cause
from events.fact import Fact
from events.improvement_facts import ChangeDeclined, Reprioritised, Unblocked
from events.subjects import Address, subject

AGGREGATE = "improvement"
CAUSE = Cause(actor="benchmark@1", source="aps/bench", correlation="00000000-0000-0000-0000-000000000007")
REASON = "because it is measured"


def now() -> datetime:
    return datetime.now(UTC)


def fact(number: int) -> Fact:
    """Facts of three kinds, in turns."""
    match number % 3:
        case 0:
            return Reprioritised(rank=number, reason=REASON)
        case 1:
            return Unblocked(reason=REASON)
        case _:
            return ChangeDeclined(reason=REASON)


def place(id: str) -> str:
    """Where a bare publish of the peer goes."""
    return subject(Address(AGGREGATE, id, Reprioritised.name))
