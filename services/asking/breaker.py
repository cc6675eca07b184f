"""When an engine's circuit opens: after so many failures in a row, for a while. See `events/engine.py`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from events.engine import CallEnded, CircuitOpened, Engine
from schemas.engine import FailureKind


@dataclass(frozen=True)
class Fuse:
    """After how many failures a circuit opens, and for how long."""

    failures: int = 5
    seconds: float = 30.0


def leaving(
    state: Engine, run: str, failure: FailureKind | None, fuse: Fuse, now: datetime
) -> tuple[CallEnded | CircuitOpened, ...]:
    """Return what to record of a call that ended; nothing where it was ended by somebody else before.

    A failure while the circuit is open begins the wait anew.
    """
    if run not in state.calls:
        return ()
    ended = CallEnded(run=run, failure=failure)
    if failure is None or not failure.ails:
        return (ended,)
    failures = state.failures + 1
    if state.opened is None and failures < fuse.failures:
        return (ended,)
    return ended, CircuitOpened(
        failures=failures, failure=failure, until=now + timedelta(seconds=fuse.seconds)
    )
