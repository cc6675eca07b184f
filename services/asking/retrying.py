"""Whether the same engine is asked again after a failure, and when."""

from dataclasses import dataclass

from services.engines.port import Failed


@dataclass(frozen=True)
class Patience:
    """How often an engine is asked, how long the first wait is, and the longest one, in seconds."""

    attempts: int = 3
    first: float = 1.0
    longest: float = 60.0


def wait_before_next(patience: Patience, failed: Failed, attempt: int, chance: float) -> float | None:
    """Return the seconds to wait after the `attempt`th failure (from 1); None: ask this engine no more.

    `chance` in 0…1 spreads those that failed together. An engine that wants to be left alone for longer than
    the longest wait is not waited for.
    """
    if not failed.kind.again or attempt >= patience.attempts:
        return None
    if failed.retry_after is None:
        return min(patience.longest, patience.first * 2.0 ** (attempt - 1)) * (0.5 + chance / 2)
    if failed.retry_after > patience.longest:
        return None
    return max(0.0, failed.retry_after) + chance * patience.first
