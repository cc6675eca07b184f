"""The circuit of an engine: opens when it ails, and lets one call through to see whether it is well again.

Rules
1. So many failures in a row that tell of the engine (`FailureKind.ails`) open the circuit.
2. While it is open nothing is called. After a while one call is let through, the others still are not.
3. That call closes the circuit unless it fails as the others did; then the wait begins anew.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from schemas.engine import FailureKind


@dataclass(frozen=True)
class Fuse:
    """After how many failures a circuit opens, and for how long."""

    failures: int = 5
    seconds: float = 30.0


@dataclass(frozen=True)
class Circuit:
    """The state of a circuit: open while `until` is set; `trying` while one call looks whether it is well."""

    failures: int = 0
    until: datetime | None = None
    trying: bool = False
    last: FailureKind | None = None

    def admits(self, now: datetime) -> bool:
        """Whether a call may begin."""
        return self.until is None or (now >= self.until and not self.trying)

    def begun(self) -> "Circuit":
        """Return the circuit after a call began."""
        return replace(self, trying=self.until is not None)

    def abandoned(self) -> "Circuit":
        """Return the circuit after a call was stopped: it told nothing of the engine."""
        return replace(self, trying=False)

    def ended(self, kind: FailureKind | None, now: datetime, fuse: Fuse) -> "Circuit":
        """Return the circuit after a call ended, None for an answer."""
        if kind is None or not kind.ails:
            return Circuit()
        failures = self.failures + 1
        opens = self.until is not None or failures >= fuse.failures
        until = now + timedelta(seconds=fuse.seconds) if opens else None
        return Circuit(failures, until, trying=False, last=kind)
