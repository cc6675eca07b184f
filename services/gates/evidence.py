"""How a gate words its verdict: one sentence with the first few offences, never a bare yes or no."""

from collections.abc import Sequence

from schemas.improvement import GateResult

SHOWN = 5


def listed(items: Sequence[str], shown: int = SHOWN) -> str:
    """Join the first `shown` items and count the rest."""
    more = len(items) - shown
    return ", ".join(items[:shown]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, in the plural where that is due."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def verdict(gate: str, version: str, offences: Sequence[str], otherwise: str) -> GateResult:
    """Fail with the offences, or pass with what was seen instead."""
    evidence = "; ".join(offences[:SHOWN]) if offences else otherwise
    if len(offences) > SHOWN:
        evidence += f"; and {len(offences) - SHOWN} more"
    return GateResult(gate=gate, version=version, passed=not offences, evidence=evidence)
