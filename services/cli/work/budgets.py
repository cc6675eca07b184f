"""`aps budgets`: what engines may still cost, and how often they may be called."""

from services.cli.options import At, Json, topic
from services.cli.session import run

app = topic("See what engines may still cost.", "aps budgets list", "aps budgets list --at 10m")


@app.command("list")
def list_budgets(at: At = "", as_json: Json = False) -> None:
    """List the budgets of days, improvements and engines, now or as they stood.

    Limits are settings: APS_BUDGET_DAY and its like. A budget is opened by the first call that needs it.

    Example: aps budgets list

    Example: aps budgets list --at 2026-11-23T14:05
    """
    from services.cli.work import spending

    run(lambda settings: spending.list_budgets(settings, at, as_json=as_json))
