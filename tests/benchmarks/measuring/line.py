"""One measured figure beside its peer, told as a line of JSON and kept for comparison over time.

Each line holds {"name","value","unit","peer","peer_value","ratio"}; the record adds when and on which commit.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
RECORD = Path(os.environ.get("APS_HOME", REPOSITORY / ".aps")) / "benchmarks.jsonl"


@dataclass(frozen=True)
class Line:
    """`ratio` is value / peer_value; without a peer both are empty."""

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None


def beside(name: str, unit: str, ours: Sequence[float], peer: str, theirs: Sequence[float]) -> Line:
    """Return the medians of rounds that took turns; the ratio is that of the medians."""
    value, peer_value = statistics.median(ours), statistics.median(theirs)
    return Line(name, round(value, 3), unit, peer, round(peer_value, 3), round(value / peer_value, 3))


def tell(line: Line) -> None:
    """Print a line and add it to the record."""
    sys.stdout.write(json.dumps(asdict(line)) + "\n")
    sys.stdout.flush()
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with RECORD.open("a") as record:
        record.write(
            json.dumps({**asdict(line), "at": datetime.now(UTC).isoformat(), "commit": _commit()}) + "\n"
        )


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], check=False, cwd=REPOSITORY, capture_output=True, text=True
    )
    return done.stdout.strip()


async def in_turns(
    rounds: int, ours: Callable[[int], Awaitable[float]], theirs: Callable[[int], Awaitable[float]]
) -> tuple[list[float], list[float]]:
    """Measure both `rounds` times, taking turns at going first; a round before them is thrown away."""
    measured: tuple[list[float], list[float]] = [], []
    for number in range(rounds + 1):
        for which in (0, 1) if number % 2 else (1, 0):
            figure = await (ours, theirs)[which](number)
            if number:
                measured[which].append(figure)
    return measured


def at_most(share: float, times: Sequence[float]) -> float:
    """Return the time that `share` of `times` stay within."""
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]
