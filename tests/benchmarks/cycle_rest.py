"""How long a cycle takes beside suite runs, environments, and finding and fixing by rule.

The cycle is the command's own, in this process, with a clock around what does the project's work; what
runs at the same time counts once. The peer is what a cycle may spend: 5 s and 0.2 s an improvement.
"""

import functools
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout, suppress
from io import BytesIO, TextIOWrapper
from typing import Any

from services.changes import stacking
from services.cli.__main__ import app
from services.devops import agent as devops
from services.pm import scanning
from services.qa import evidence
from services.workspace.suites import proving

PROJECTS = ("toolz==1.2.0", "simplejson==4.3.0")
WORK = (
    (proving, "run_suite"),
    (proving, "build_environment"),
    (stacking, "apply"),
    (scanning, "find"),
    (scanning, "rehearse"),
    (evidence, "find"),
    (devops, "find"),
)
ALLOWED_S, ALLOWED_EACH_S = 5.0, 0.2
Span = tuple[float, float]


def clocked(work: Callable[..., Awaitable[Any]], spans: list[Span]) -> Callable[..., Awaitable[Any]]:
    """Return `work` so that each call leaves its span."""

    @functools.wraps(work)
    async def timed(*args: Any, **named: Any) -> Any:
        begun = time.monotonic()
        try:
            return await work(*args, **named)
        finally:
            spans.append((begun, time.monotonic()))

    return timed


def covered(spans: list[Span]) -> float:
    """Return how many seconds lie in at least one span."""
    total, reached = 0.0, 0.0
    for begun, ended in sorted(spans):
        total += max(0.0, ended - max(begun, reached))
        reached = max(reached, ended)
    return total


def cycle(project: str) -> tuple[int, float]:
    """Run the command in a new data folder; return how many improvements it had, and its seconds."""
    told = TextIOWrapper(BytesIO(), "utf-8")
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="aps-bench-") as home,
        redirect_stdout(told),
        suppress(SystemExit),
    ):
        os.environ["APS_HOME"] = home
        app(["improve", f"sdist:{project}", "--json"], prog_name="aps")
    seconds = time.monotonic() - begun
    told.seek(0)
    return len(json.load(told)["improvements"]), seconds


def main() -> None:
    spans: list[Span] = []
    for module, name in WORK:
        setattr(module, name, clocked(getattr(module, name), spans))
    for project in sys.argv[1:] or PROJECTS:
        spans.clear()
        improvements, seconds = cycle(project)
        rest, allowed = seconds - covered(spans), ALLOWED_S + ALLOWED_EACH_S * improvements
        line = {
            "name": f"cycle_rest {project}",
            "value": round(rest, 2),
            "unit": "s",
            "peer": f"{ALLOWED_S:g} s and {ALLOWED_EACH_S:g} s for each of {improvements} improvements",
            "peer_value": round(allowed, 2),
            "ratio": round(rest / allowed, 3),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
