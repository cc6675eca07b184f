"""The `aps` command: its topics, and the way out for what nobody expected."""

import sys
import traceback

import typer

from services.cli.care import keys, tokens
from services.cli.care.logs import logs
from services.cli.care.setup import config, reset, setup
from services.cli.care.status import doctor, status
from services.cli.cycle.improve import discover, improve
from services.cli.cycle.request import request
from services.cli.decisions import improvements
from services.cli.documents import process
from services.cli.documents.describe import describe
from services.cli.history import events, fork, replay, views
from services.cli.keeping.commands import backup, restore
from services.cli.monitor.command import monitor
from services.cli.options import keep_examples
from services.cli.session import Exit, words
from services.cli.summary import EXAMPLES, summarise
from services.cli.swarm.serving import run_one, up
from services.cli.work import budgets, claims, dead, deployments, runs
from services.cli.work.targets import pause, resume
from services.cycle.text import plain_block

app = typer.Typer(
    name="aps",
    help="Five agents that find, plan, write, prove, land and take back improvements to a git repository.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(improve)
app.command()(request)
app.command()(discover)
app.command()(up)
app.command("run")(run_one)
app.command()(status)
app.command()(monitor)
app.command()(doctor)
app.command()(logs)
app.add_typer(improvements.app, name="improvements")
app.add_typer(claims.app, name="claims")
app.add_typer(runs.app, name="runs")
app.add_typer(budgets.app, name="budgets")
app.add_typer(deployments.app, name="deployments")
app.add_typer(dead.app, name="dead")
app.add_typer(events.app, name="events")
app.command()(replay.replay)
app.add_typer(views.app, name="views")
app.add_typer(fork.app, name="fork")
app.command()(backup)
app.command()(restore)
app.command()(describe)
app.add_typer(process.app, name="process")
app.command()(pause)
app.command()(resume)
app.command()(setup)
app.add_typer(config, name="config")
app.add_typer(keys.app, name="keys")
app.add_typer(tokens.app, name="token")
app.command()(reset)
keep_examples(app)
summarise(app)


def main() -> None:
    """Run `aps`."""
    try:
        app(prog_name="aps")
    except Exception as failure:  # noqa: BLE001 -- the process boundary: logged whole, told in one line
        sys.exit(int(told(failure)))


def told(failure: Exception) -> Exit:
    """Tell of a failure that no command told of, and return how the program ends.

    What a command needs is loaded before it runs, so even an expected trouble may come here. Any other is
    logged whole, where there is a log yet, and told in one line.
    """
    import structlog

    from services.cli.exits import expected

    if known := expected(failure):
        words.print(plain_block(str(known)), style="red", markup=False, soft_wrap=True)
        return known.code
    if structlog.is_configured():
        structlog.get_logger().error("unexpected failure", exc_info=failure)
        words.print("the whole of it is in the log: aps logs --level error", markup=False)
    else:  # it happened before there was a log
        traceback.print_exception(failure)
    words.print(f"unexpected: {type(failure).__name__}: {failure}", style="red", markup=False)
    return Exit.FAILED


if __name__ == "__main__":
    main()
