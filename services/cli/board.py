"""Shows improvements: the board, and one of them with its evidence and its timeline."""

from dataclasses import asdict
from typing import Any

from events.catalogue import read_fact
from events.improvement import IMPROVEMENT, Improvement
from events.lease import WorkRenewed
from projections.improvement_board import ImprovementRow
from projections.timeline import TimelineRow
from schemas.improvement import Status
from services.cli.desk import Desk, LogDesk, at_views, not_found
from services.cli.session import Exit, Stop, print_json
from services.cli.tables import show_lines, show_table
from services.runtime.log import stamp_of
from services.runtime.settings import Settings


async def list_improvements(settings: Settings, target: str, status: str, at: str, *, as_json: bool) -> None:
    """List improvements, now or as of a moment."""
    wanted = _status(status)
    async with at_views(settings) as desk:
        id = (await desk.target(target)).id if target else None
        rows = await desk.views.improvements(id, wanted, await desk.seq_at(at))
    if as_json:
        print_json(rows)
        return
    show_table(
        ("RANK", "ID!", "STATUS!", "RISK", "FIXED!", "TITLE", "NOTE"),
        [(r.rank, r.id, r.status, r.risk, f"{r.fixed}/{r.expected}", r.title, _note(r)) for r in rows],
        empty="no improvements; look for some: aps improve PATH",
    )


def _status(text: str) -> Status | None:
    if not text:
        return None
    try:
        return Status(text)
    except ValueError:
        raise Stop(Exit.USAGE, f"no status {text!r}; there are: {', '.join(Status)}") from None


def _note(row: ImprovementRow) -> str:
    return f"waits: {row.blocked}" if row.blocked else row.reason


async def show(settings: Settings, id: str, at: str, *, diff: bool, as_json: bool) -> None:
    """Show one improvement as it stands, or stood."""
    async with at_views(settings) as desk:
        seq = await desk.seq_at(at)
        row = await improvement(desk, id, seq)
        timeline = await desk.views.timeline(id, seq)
        state = await state_at(desk, id, seq)
        patch = await _patch(desk, state) if diff else ""
    if as_json:
        shown = {"diff": patch} if diff else {}
        print_json({**asdict(row), **_evidence(state), "timeline": timeline, **shown})
        return
    _print(row, state, timeline)
    if diff:
        print(f"\n{patch or 'nothing was written yet'}")


async def improvement(desk: Desk, id: str, seq: int | None = None) -> ImprovementRow:
    """Return an improvement's row; ends the command with 3 and the nearest ids when there is none."""
    row = await desk.views.improvement(id, seq)
    if row is not None:
        return row
    if seq is not None and await desk.views.improvement(id) is not None:
        raise Stop(Exit.NOT_FOUND, f"the improvement {id} was not discovered yet at sequence {seq}")
    raise not_found("improvement", id, [r.id for r in await desk.views.improvements()])


async def state_at(desk: LogDesk, id: str, seq: int | None) -> Improvement:
    """Return the state of an improvement as of a sequence of the log."""
    recorded, _ = await desk.book.store.read(IMPROVEMENT.name, id)
    events = [r for r in recorded if seq is None or r.seq <= seq]
    return IMPROVEMENT.fold((read_fact(r.envelope), stamp_of(r)) for r in events)


async def _patch(desk: LogDesk, state: Improvement) -> str:
    """Return the change as written; as it landed it may be smaller, see what was left out."""
    return (await desk.book.fetch(state.change.patch)).decode("utf-8", "replace") if state.change else ""


def _evidence(state: Improvement) -> dict[str, Any]:
    verdict = state.verdict
    return {
        "why": state.discovered.why if state.discovered else "",
        "requirements": state.requirements.requirements if state.requirements else (),
        "risk_reasons": state.design.reasons if state.design else (),
        "gates": verdict.gates if verdict else (),
        "scenarios": verdict.scenarios if verdict else (),
        "left_out_parts": verdict.left_out if verdict else state.leave_out,
    }


def _print(row: ImprovementRow, state: Improvement, timeline: tuple[TimelineRow, ...]) -> None:
    found = state.discovered
    show_lines(
        (
            ("improvement", row.id),
            ("title", row.title),
            ("why", found.why if found else ""),
            ("target", row.target),
            ("rule", f"{row.rule} ({row.source})"),
            ("rank", row.rank),
            ("status", row.status),
            ("waits", row.blocked),
            ("needs", state.blocked.needs if state.blocked else ""),
            ("reason", row.reason),
            ("risk", " ".join((row.risk, *state.design.reasons)) if state.design else ""),
            ("findings", f"{row.fixed} of {row.expected} fixed"),
            ("files", row.files),
            ("commit", row.commit),
            ("branch", row.branch),
        )
    )
    _print_evidence(state)
    print("\nwhat happened")
    told = [t for t in timeline if t.fact != WorkRenewed.name]
    rows = [(t.seq, t.time, t.actor.partition("@")[0], t.summary) for t in told]
    show_table(("SEQ", "TIME!", "BY", "WHAT"), rows)


def _print_evidence(state: Improvement) -> None:
    if state.requirements:
        print("\nwhat must hold")
        show_lines((entry.id, entry.text) for entry in state.requirements.requirements)
    if state.verdict is None:
        return
    print("\nwhat was proven")
    show_table(
        ("GATE!", "", "EVIDENCE"),
        [(g.gate, "passed" if g.passed else "failed", g.evidence) for g in state.verdict.gates]
        + [
            (f"scenario: {s.name}", "passed" if s.passed else "failed", f"{len(s.steps)} steps")
            for s in state.verdict.scenarios
        ],
    )
    if state.verdict.left_out:
        print("\nwhat was left out")
        show_table(
            ("PLACE", "WHY"),
            [(f"{p.path}: {p.site.text}" if p.site else p.path, p.reason) for p in state.verdict.left_out],
        )
