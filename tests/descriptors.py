"""What this process has open, as a test of what gives things back counts it."""

import asyncio
import os


async def settled_descriptors() -> int:
    """How many are open once that no longer changes: a namespace for the next run is made meanwhile."""
    seen = [0]
    while len(seen) < 4 or len(set(seen[-4:])) > 1:
        await asyncio.sleep(0.1)
        seen.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208 -- a number, not paths
    return seen[-1]
