"""Shows improvements: the board, and one of them with its evidence and its timeline."""

from dataclasses import asdict

from projections.views.improvement_board import ImprovementRow
from schemas.improvement import Status
from services.cli.decisions.dossier import gathered
from services.cli.decisions.portrait import show_dossier
from services.cli.desk import Desk, at_views, not_found
from services.cli.session import Exit, Stop, print_json, say
from services.cli.tables import show_table
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
        dossier = await gathered(desk, id, seq, diff=diff)
    if as_json:
        print_json({**asdict(row), **dossier.model_dump(mode="json")})
    else:
        show_dossier(dossier)
    for missing in dossier.missing:
        say(f"missing: {missing}")


async def improvement(desk: Desk, id: str, seq: int | None = None) -> ImprovementRow:
    """Return an improvement's row; ends the command with 3 and the nearest ids when there is none."""
    row = await desk.views.improvement(id, seq)
    if row is not None:
        return row
    if seq is not None and await desk.views.improvement(id) is not None:
        raise Stop(Exit.NOT_FOUND, f"the improvement {id} was not discovered yet at sequence {seq}")
    raise not_found("improvement", id, [r.id for r in await desk.views.improvements()])
