"""Shows the claims on work, and releases one by a person's word."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from events.catalogue import AGGREGATES, MAY_RECORD
from events.fact import AggregateType
from events.lease import Claim, WorkReleased
from projections.views.task_board import TaskRow, TaskState
from services.cli.asking import because, cause
from services.cli.desk import Desk, at_views, not_found
from services.cli.session import Exit, Stop, print_json, say
from services.cli.tables import show_table
from services.runtime.ground import now
from services.runtime.settings import Settings

RELEASABLE = tuple(name for name, facts in MAY_RECORD["cli"].items() if WorkReleased in facts)


async def list_claims(settings: Settings, agent: str, at: str, *, every: bool, as_json: bool) -> None:
    """List the held claims, or every one there was, now or as of a moment."""
    async with at_views(settings) as desk:
        seq = await desk.seq_at(at)
        rows = await desk.views.tasks(None if every else TaskState.RUNNING, agent or None, at_seq=seq)
        moment = now() if seq is None else await _time_of(desk, seq)
    if as_json:
        print_json([{**asdict(row), "expired": row.expired(moment)} for row in rows])
        return
    show_table(
        ("AGGREGATE!", "ID!", "WORK!", "BY", "STATE!", "SINCE!", "NOTE"),
        [
            (r.aggregate, r.id, r.work, r.agent, _state(r, moment), r.claimed_at, _note(r, moment))
            for r in rows
        ],
        empty="nothing is claimed",
    )


async def _time_of(desk: Desk, seq: int) -> datetime:
    """Return when an event was recorded: what had expired by then is judged by that."""
    (event,) = [event async for event in desk.book.store.read_all(seq - 1, seq)]
    return event.envelope.at


def _state(row: TaskRow, moment: datetime) -> str:
    return "expired" if row.expired(moment) else row.state.value.replace("_", " ")


def _note(row: TaskRow, moment: datetime) -> str:
    if row.state is not TaskState.RUNNING:
        return f"{row.ended_by}: {row.reason}" if row.reason else row.ended_by
    left = int((row.lease_until - moment).total_seconds())
    return f"{left} s left" if left > 0 else "anybody may take it over"


async def release(settings: Settings, aggregate: str, id: str, reason: str, *, as_json: bool) -> None:
    """Release the running claim on an aggregate; its holder can then neither renew nor finish."""
    kind = _kind(aggregate)
    why = because(reason, "released")
    async with at_views(settings) as desk:
        held = await _held(desk, kind, id)
        await desk.book.record(kind, id, WorkReleased(claim=held.token, reason=why), cause=cause())
    if as_json:
        print_json({"aggregate": aggregate, "id": id, "released": asdict(held), "reason": why})
        return
    say(f"{held.work} of {aggregate} {id} is free; {held.agent} can no longer finish it")


def _kind(aggregate: str) -> AggregateType[Any]:
    if aggregate not in RELEASABLE:
        raise Stop(
            Exit.USAGE, f"claims on {aggregate!r} cannot be released; on these: {', '.join(RELEASABLE)}"
        )
    return AGGREGATES[aggregate]


async def _held(desk: Desk, kind: AggregateType[Any], id: str) -> Claim:
    state, position = await _loaded(desk, kind, id)
    if not position:
        raise not_found(kind.name, id, [row.id for row in await desk.views.tasks(aggregate=kind.name)])
    claim: Claim | None = state.claim
    if claim is None:
        raise Stop(Exit.CONFLICT, f"nobody holds a claim on {kind.name} {id}")
    if now() >= claim.lease_until:
        raise Stop(
            Exit.CONFLICT,
            f"{claim.agent} held {claim.work} until {claim.lease_until.astimezone():%H:%M:%S}: "
            "it is free already, and the next copy that looks takes it over",
        )
    return claim


async def _loaded(desk: Desk, kind: AggregateType[Any], id: str) -> tuple[Any, int]:
    try:
        loaded = await desk.book.load(kind, id)
    except ValueError:  # no subject token, so no aggregate has this id
        return kind.initial, 0
    return loaded.state, loaded.position.version
