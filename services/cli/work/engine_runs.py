"""Shows the calls of engines: all of them, or one with its events, what was asked and what came back."""

from dataclasses import asdict

from events.fact import Fact
from events.run import RUN
from events.store import Recorded
from projections.views.engine_usage import RunRow
from projections.views.summary import summary
from services.cli.desk import at_views, not_found
from services.cli.session import Exit, Stop, print_json, say
from services.cli.tables import show_lines, show_table
from services.cli.work.spending import cost
from services.cycle.text import plain_text
from services.dossier.calls import content_of, facts_of, suspicions
from services.dossier.shelf import Shelf
from services.runtime.settings import Settings

OUTCOMES = tuple(fact.name for fact in RUN.facts)


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
        ("ID!", "BY!", "TASK!", "ENGINE", "OUTCOME!", "TOOK!", "TOKENS", "COST!", "NOTE"),
        [
            (
                r.id,
                r.role,
                r.task,
                _engine(r),
                r.outcome,
                f"{r.duration_ms} ms",
                _tokens(r),
                cost(r.billing, r.cost_micros),
                _note(r),
            )
            for r in rows
        ],
        empty="no engine was called",
    )


def _engine(row: RunRow) -> str:
    return f"{row.engine} {row.model}".strip()


def _tokens(row: RunRow) -> str:
    return f"{row.tokens_in}+{row.tokens_out}" if row.tokens_in or row.tokens_out else ""


def _note(row: RunRow) -> str:
    tried = f"attempt {row.attempt}" if row.attempt > 1 else ""
    instead = f"instead of {row.instead_of}" if row.instead_of else ""
    why = f"{row.kind}: {row.reason}" if row.kind else row.reason
    return "; ".join(filter(None, (tried, instead, why)))


async def show(settings: Settings, id: str, *, transcript: bool = False, as_json: bool) -> None:
    """Show one engine call."""
    async with at_views(settings) as desk:
        rows = await desk.views.runs()
        row = next((r for r in rows if r.id == id), None)
        if row is None:
            raise not_found("run", id, [r.id for r in rows])
        events = await facts_of(desk.book, id)
        shelf = Shelf(desk.book)
        content = await content_of(shelf, [fact for _, fact in events], transcript=transcript)
    for missing in shelf.missing:
        say(f"missing: {missing}")
    told = suspicions([fact for _, fact in events])
    if as_json:
        found = {"suspicions": told}
        print_json({**asdict(row), **asdict(content), **found, "events": [_event(e, f) for e, f in events]})
        return
    _print(row)
    print("\nwhat happened")
    show_table(
        ("SEQ", "TIME!", "BY", "WHAT"),
        [(e.seq, e.envelope.at, e.envelope.actor.partition("@")[0], summary(f)) for e, f in events],
    )
    if told:
        print("\nwhat tried to instruct the engine")
        for line in told:
            print(plain_text(line))
    for name, text in asdict(content).items():
        if text:
            print(f"\n{name}\n{text}")


def _print(row: RunRow) -> None:
    show_lines(
        (
            ("run", row.id),
            ("improvement", row.improvement),
            ("asked by", row.role),
            ("engine", _engine(row)),
            ("instead of", row.instead_of),
            ("task", row.task),
            ("attempt", row.attempt if row.attempt > 1 else ""),
            ("outcome", row.outcome),
            ("kind", row.kind),
            ("reason", row.reason),
            ("took", f"{row.duration_ms} ms"),
            ("turns", row.turns),
            ("tokens", _tokens(row)),
            ("from cache", row.tokens_cached),
            ("cost", cost(row.billing, row.cost_micros)),
        )
    )


def _event(event: Recorded, fact: Fact) -> dict[str, object]:
    envelope = event.envelope
    return {
        "seq": event.seq,
        "time": envelope.time,
        "actor": envelope.actor,
        "fact": fact.name,
        "summary": summary(fact),
    }
