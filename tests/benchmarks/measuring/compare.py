"""Compares the newest record of each benchmark with the one before.

`python -m tests.benchmarks.measuring.compare` prints both and how far they are apart.
Ratios to a peer of the same run are compared, since they stand whatever else the machine does; figures
without a peer are compared as they are. Ends with 1 when one moved by more than `--percent` (default 20).
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring.line import RECORD


def movements(lines: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Return the figure before and the newest one by name, for those measured at least twice."""
    seen: dict[str, list[float]] = {}
    for line in lines:
        kept: dict[str, Any] = json.loads(line)
        figure = kept["value"] if kept["ratio"] is None else kept["ratio"]
        seen.setdefault(kept["name"], []).append(figure)
    return {name: (figures[-2], figures[-1]) for name, figures in seen.items() if len(figures) > 1}


def main() -> int:
    parser = argparse.ArgumentParser(description="compare the newest benchmark record with the one before")
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--percent", type=float, default=20)
    chosen = parser.parse_args()
    if not chosen.record.exists():
        sys.stderr.write(f"nothing is recorded in {chosen.record}; run `make bench`\n")
        return 2
    moved = False
    with chosen.record.open() as lines:
        for name, (before, now) in movements(lines).items():
            percent = 100 * (now / before - 1) if before else 0.0
            moved |= abs(percent) > chosen.percent
            sys.stdout.write(f"{name:32} {before:12.3f} {now:12.3f} {percent:+7.1f} %\n")
    return int(moved)


if __name__ == "__main__":
    sys.exit(main())
