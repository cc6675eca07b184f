"""Shows the deployments, now or as of a moment."""

from services.cli.desk import at_views
from services.cli.session import print_json
from services.cli.tables import show_table
from services.runtime.settings import Settings

HEX = 12


async def list_deployments(settings: Settings, target: str, at: str, *, as_json: bool) -> None:
    """List the moves of release branches."""
    async with at_views(settings) as desk:
        id = (await desk.target(target)).id if target else None
        rows = await desk.views.deployments(id, await desk.seq_at(at))
    if as_json:
        print_json(rows)
        return
    show_table(
        ("ID!", "KIND!", "STATE!", "SINCE!", "FROM!", "TO!", "CHANGES", "NOTE"),
        [
            (
                r.id,
                r.kind,
                r.state.value.replace("_", " "),
                r.started_at,
                r.expected[:HEX] or "no branch",
                r.tip[:HEX],
                len(r.improvements),
                r.reason,
            )
            for r in rows
        ],
        empty="nothing was deployed",
    )
