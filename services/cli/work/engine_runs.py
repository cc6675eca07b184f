"""Shows the calls of engines: all of them, or one with its events and its answer."""

from dataclasses import asdict
from typing import Any

from events import run as run_facts
from events.catalogue import read_fact
from events.fact import Fact
from events.run import RUN
from events.store import Recorded
from projections.engine_usage import RunRow
from projections.summary import summary
from services.cli.desk import at_views, not_found
from services.cli.session import Exit, Stop, print_json, say
from services.cli.shelf import Shelf
from services.cli.tables import show_lines, show_table
from services.runtime.settings import Settings

OUTCOMES = tuple(fact.name for fact in RUN.facts)
MICRO = 1_000_000


async def list_runs(settings: Settings, improvement: str, outcome: str, at: str, *, as_json: bool) -> None:
    """List engine calls, now or as of a moment."""
    if outcome and outcome not in OUTCOMES:
        raise Stop(Exit.USAGE, f"no outcome {outcome!r}; there are: {', '.join(OUTCOMES)}")
    async with at_views(settings) as desk:
        if improvement and await desk.views.improvement(improvement) is None:
            raise not_found("improvement", improvement, [r.id for r in await desk.views.improvements()])
        rows = await desk.views.runs(improvement or None, outcome or None, await desk.seq_at(at))
    if as_json:
        print_json(rows)
        return
    show_table(
        ("ID!", "BY!", "ENGINE", "OUTCOME!", "TOOK!", "TOKENS", "COST", "NOTE"),
        [
            (r.id, r.role, _engine(r), r.outcome, f"{r.duration_ms} ms", _tokens(r), _cost(r), r.reason)
            for r in rows
        ],
        empty="no engine was called",
    )


def _engine(row: RunRow) -> str:
    return f"{row.engine} {row.model}".strip()


def _tokens(row: RunRow) -> str:
    return f"{row.tokens_in}+{row.tokens_out}" if row.tokens_in or row.tokens_out else ""


def _cost(row: RunRow) -> str:
    return f"{row.cost_micros / MICRO:.4f}" if row.cost_micros else ""


async def show(settings: Settings, id: str, *, as_json: bool) -> None:
    """Show one engine call."""
    async with at_views(settings) as desk:
        rows = await desk.views.runs()
        row = next((r for r in rows if r.id == id), None)
        if row is None:
            raise not_found("run", id, [r.id for r in rows])
        recorded, _ = await desk.book.store.read(RUN.name, id)
        facts = [(event, read_fact(event.envelope)) for event in recorded]
        shelf = Shelf(desk.book)
        answer = await _answer(shelf, facts)
    for missing in shelf.missing:
        say(f"missing: {missing}")
    if as_json:
        print_json({**asdict(row), "answer": answer, "events": [_event(e, f) for e, f in facts]})
        return
    show_lines(
        (
            ("run", row.id),
            ("improvement", row.improvement),
            ("asked by", row.role),
            ("engine", _engine(row)),
            ("task", row.task),
            ("outcome", row.outcome),
            ("reason", row.reason),
            ("took", f"{row.duration_ms} ms"),
            ("tokens", _tokens(row)),
            ("cost", _cost(row)),
        )
    )
    print("\nwhat happened")
    show_table(
        ("SEQ", "TIME!", "BY", "WHAT"),
        [(e.seq, e.envelope.at, e.envelope.actor.partition("@")[0], summary(f)) for e, f in facts],
    )
    if answer:
        print(f"\nanswer\n{answer}")


async def _answer(shelf: Shelf, facts: list[tuple[Recorded, Fact]]) -> str:
    for _, fact in facts:
        if isinstance(fact, run_facts.Completed) and fact.answer is not None:
            return await shelf.text(fact.answer)
    return ""


def _event(event: Recorded, fact: Fact) -> dict[str, Any]:
    envelope = event.envelope
    return {
        "seq": event.seq,
        "time": envelope.time,
        "actor": envelope.actor,
        "fact": fact.name,
        "summary": summary(fact),
    }
