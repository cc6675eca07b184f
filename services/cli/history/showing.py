"""Shows the rows of one view, now or as of a moment, by an indexed query."""

from collections.abc import Awaitable, Callable, Sequence

from projections.queries import Views
from projections.table import Row
from projections.views.catalogue import VIEWS
from projections.views.timeline import TimelineRow
from services.cli.desk import at_views, not_found
from services.cli.history.rebuilding import SHOWN
from services.cli.session import print_json, say
from services.cli.tables import show_table
from services.cycle.words import counted
from services.runtime.settings import Settings

Query = Callable[[Views, int | None], Awaitable[Sequence[Row]]]


async def _timeline(views: Views, seq: int | None) -> list[TimelineRow]:
    """Return what happened to every improvement, in the order it happened."""
    known = await views.improvements(at_seq=seq)
    rows = {row.seq: row for one in known for row in await views.timeline(one.id, seq)}
    return [rows[at] for at in sorted(rows)]


QUERIES: dict[str, Query] = {
    "improvement_board": lambda views, seq: views.improvements(at_seq=seq),
    "timeline": _timeline,
    "task_board": lambda views, seq: views.tasks(at_seq=seq),
    "engine_usage": lambda views, seq: views.runs(at_seq=seq),
    "targets": lambda views, seq: views.targets(seq),
    "deployments": lambda views, seq: views.deployments(at_seq=seq),
    "budgets": lambda views, seq: views.budgets(seq),
    "access": lambda views, seq: views.access(seq),
    "outcomes": lambda views, seq: views.outcomes(seq),
}


async def show(settings: Settings, name: str, at: str, *, as_json: bool) -> None:
    """Print the rows of a view; ends the command with 3 when there is no such view or moment."""
    if name not in QUERIES:
        raise not_found("view", name, [view.name for view in VIEWS])
    async with at_views(settings) as desk:
        seq = await desk.seq_at(at)
        rows = await QUERIES[name](desk.views, seq)
    if as_json:
        print_json(rows)
        return
    shown = SHOWN[name]
    cells = [[getattr(row, column) for column in shown] for row in rows]
    show_table([column.upper() for column in shown], cells, empty="no rows")
    if seq is not None:
        say(f"{name} as of event {seq}: {counted(len(rows), 'row')}")
