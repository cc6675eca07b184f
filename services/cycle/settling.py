"""Tells whether a cycle is over: nothing more will happen unless somebody asks."""

from collections.abc import Mapping

from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import DRY_RUN
from events.target import Scan, Target
from services.runtime.log import Log


async def states_of(book: Log, scan: Scan) -> dict[str, Improvement]:
    """Return the improvements of a scan with their states, in rank order."""
    ids = scan.done.improvements if scan.done else ()
    return await book.states(IMPROVEMENT, ids)


async def is_settled(book: Log, target: Target, scan: Scan) -> bool:
    """Whether the cycle of a scan is over."""
    return settled(target, scan, await states_of(book, scan))


def settled(target: Target, scan: Scan, states: Mapping[str, Improvement]) -> bool:
    """Whether a scan failed or was only a look, or every improvement of it ended or waits for a person."""
    if scan.failed is not None:
        return True
    if scan.done is None:
        return False
    if scan.requested.look_only:
        return True
    if target.baseline_at(scan.requested.base) is None:
        return False
    return all(_rests(state, dry_run=scan.requested.dry_run) for state in states.values())


def _rests(state: Improvement, *, dry_run: bool) -> bool:
    if state.blocked is not None and state.blocked.reason == DRY_RUN and not dry_run:
        return False  # this run may land it: it is decided anew as soon as DevOps sees the scan
    landed_and_measured = state.deployed is None or state.benefit is not None or state.rolled_back is not None
    return (state.ended and landed_and_measured) or (state.blocked is not None and state.rollback is None)
