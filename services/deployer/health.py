"""Runs the target's health command on what was deployed, in the sandbox, and says what came of it."""

import asyncio
import shlex
from dataclasses import dataclass, replace

from events.deployment import HealthChecked
from services.runtime.workbench import Workbench
from services.sandbox.port import Command, Ended
from services.workspace.suites.hiding import printed

KEPT_OUTPUT = 64 * 1024


@dataclass(frozen=True)
class Verdict:
    """The fact to record, and why the deployment must go back; empty when it may stay."""

    fact: HealthChecked
    why: str = ""


async def check_health(bench: Workbench, target: str, deployment: str, tip: str, health: str) -> Verdict:
    """Run `health` by the shell in a work tree of `tip`; what takes too long is ended and has failed."""
    limits = replace(bench.limits, wall_seconds=bench.health_seconds)
    async with bench.worktree(target, f"{deployment}-health", tip) as tree:
        bench.sandbox.hand_over(tree)
        argv = ("/bin/sh", "-c", health)
        result = await bench.sandbox.run(Command(argv, tree, writable=(tree,)), limits)
    output = await asyncio.to_thread(printed, result.stdout + result.stderr, KEPT_OUTPUT)
    why = _why(result.ended, result.exit_code, bench.health_seconds)
    fact = HealthChecked(
        command=shlex.join(argv),
        passed=not why,
        exit_code=result.exit_code,
        output=await bench.book.keep(output, f"{deployment}.health.txt", "text/plain"),
    )
    return Verdict(fact, f"the health command {why}: {health}" if why else "")


def _why(ended: Ended, exit_code: int, seconds: float) -> str:
    if ended is Ended.TIMED_OUT:
        return f"did not end within {seconds:.0f} s (APS_HEALTH_TIMEOUT_SECONDS)"
    if ended is Ended.OUT_OF_MEMORY:
        return "needed more memory than it may have (APS_SUITE_MEMORY_MIB)"
    return f"ended with {exit_code}" if exit_code else ""
