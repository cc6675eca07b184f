"""What the Architect does whenever something happened.

Whenever requirements are ready and the baseline is known, the design is made; the baseline comes last
or first, so both facts ask for it. So does the end of a wait.
"""

from events.fact import Fact
from events.improvement_facts import RequirementsSpecified, Unblocked
from events.target import BaselineRecorded, Target


def whenever(id: str, fact: Fact, target: Target) -> tuple[str, ...]:
    """Return the improvements to design now; `id` is the aggregate on which `fact` was recorded."""
    match fact:
        case RequirementsSpecified() | Unblocked():
            return (id,)
        case BaselineRecorded(base=base):
            scans = [s.done for s in target.scans.values() if s.done and s.done.base == base]
            return tuple(dict.fromkeys(i for scan in scans for i in scan.improvements))
        case _:
            return ()
