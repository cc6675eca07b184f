"""What is derived from the outcomes of a time: the rates and costs that people judge the swarm by. Pure.

Rules
1. Acceptance: what landed among all that came to an end (landed, declined, abandoned).
2. Change failure: what was taken back or failed to deploy, among all that was deployed. What is taken back
   counts when it is taken back, so the rate of a short time may be above one.
3. Cost: what engines were paid in that time, for each improvement that landed in it.
"""

from datetime import datetime

from projections.views.outcomes import OutcomeSums
from schemas.base import Frozen


class OutcomeMeasures(Frozen):
    """The outcomes of a time, or a part of it, of one target or all; None is what cannot be told from none.

    `what` says which target, or when the part of time began; ratios are between 0 and 1, costs in US dollars.
    """

    what: str
    discovered: int = 0
    landed: int = 0
    partly_landed: int = 0
    refuted: int = 0
    declined: int = 0
    abandoned: int = 0
    failed: int = 0
    rolled_back: int = 0
    restored: int = 0
    acceptance: float | None = None
    change_failure: float | None = None
    lead_seconds_p50: float | None = None
    lead_seconds_p90: float | None = None
    restore_seconds_p50: float | None = None
    restore_seconds_p90: float | None = None
    suite_runs: int = 0
    suite_seconds: float = 0
    engine_calls: int = 0
    paid_dollars: float = 0
    dollars_per_landed: float | None = None


COUNTED = (
    "discovered",
    "landed",
    "partly_landed",
    "refuted",
    "declined",
    "abandoned",
    "failed",
    "rolled_back",
    "restored",
)


def measures_of(sums: OutcomeSums) -> OutcomeMeasures:
    """Return what a row of sums tells."""
    paid = sums.priced_micros / 1_000_000
    return OutcomeMeasures(
        what=sums.what,
        **{name: getattr(sums, name) for name in COUNTED},
        acceptance=_ratio(sums.landed, sums.landed + sums.declined + sums.abandoned),
        change_failure=_ratio(sums.rolled_back + sums.failed, sums.landed + sums.failed),
        lead_seconds_p50=_seconds(sums.lead_ms_p50),
        lead_seconds_p90=_seconds(sums.lead_ms_p90),
        restore_seconds_p50=_seconds(sums.restore_ms_p50),
        restore_seconds_p90=_seconds(sums.restore_ms_p90),
        suite_runs=sums.suite_runs,
        suite_seconds=sums.suite_ms / 1000,
        engine_calls=sums.calls,
        paid_dollars=paid,
        dollars_per_landed=_ratio(paid, sums.landed),
    )


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def begun(measures: OutcomeMeasures) -> datetime:
    """Return when a part of time began."""
    return datetime.fromisoformat(measures.what)
