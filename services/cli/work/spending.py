"""Shows what engines cost and what is left for them."""

from events.budget import dollars
from projections.views.engine_usage import By
from schemas.engine import Billing
from services.cli.desk import at_views
from services.cli.session import Exit, Stop, print_json
from services.cli.tables import show_table
from services.runtime.settings import Settings


async def costs(settings: Settings, by: str, improvement: str, at: str, *, as_json: bool) -> None:
    """Sum up engine calls."""
    if by not in tuple(By):
        raise Stop(Exit.USAGE, f"no sums are made by {by!r}; they are by: {', '.join(By)}")
    async with at_views(settings) as desk:
        rows = await desk.views.usage(By(by), improvement or None, await desk.seq_at(at))
    if as_json:
        print_json(rows)
        return
    show_table(
        (f"{by.upper()}!", "RUNS", "ANSWERED", "REUSED", "TOOK!", "TOKENS", "CACHED", "COST!"),
        [
            (
                r.what or "none",
                r.runs,
                r.answered,
                r.reused,
                f"{r.duration_ms / 1000:.1f} s",
                f"{r.tokens_in}+{r.tokens_out}",
                r.tokens_cached,
                cost(r.billing, r.cost_micros),
            )
            for r in rows
        ],
        empty="no engine was called",
    )


def cost(billing: str, micros: int) -> str:
    """Return what a call cost, or who pays where it has no price."""
    match billing:
        case Billing.SUBSCRIPTION:
            return "subscription"
        case Billing.PRICE:
            return dollars(micros)
        case _:
            return ""


async def list_budgets(settings: Settings, at: str, *, as_json: bool) -> None:
    """List the budgets."""
    async with at_views(settings) as desk:
        rows = await desk.views.budgets(await desk.seq_at(at))
    if as_json:
        print_json(rows)
        return
    show_table(
        ("ID!", "LIMIT!", "SPENT!", "RESERVED!", "LEFT!", "RUNS!", "RUNNING", "NOTE"),
        [
            (
                r.id,
                dollars(r.limit_micros),
                dollars(r.committed_micros + r.over_micros),
                dollars(r.reserved_micros),
                dollars(max(0, r.left_micros)),
                f"{r.runs} of {r.limit_runs}",
                r.running,
                f"exhausted: {r.exhausted}" if r.exhausted else "",
            )
            for r in rows
        ],
        empty="no budget was opened yet: the first call of an engine opens them",
    )
