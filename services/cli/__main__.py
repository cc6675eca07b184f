"""The `aps` command: its topics, and the way out for what nobody expected."""

import sys

import structlog
import typer

from services.cli.improve import discover, improve
from services.cli.session import Exit, words

app = typer.Typer(
    name="aps",
    help="Five agents that find, plan, write, prove, land and take back improvements to a git repository.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(improve)
app.command()(discover)


def main() -> None:
    """Run `aps`; an unexpected failure is logged whole and told in one line."""
    try:
        app()
    except Exception as failure:  # noqa: BLE001 -- the process boundary: logged whole, told in one line
        structlog.get_logger().exception("unexpected failure")
        words.print(f"unexpected: {type(failure).__name__}: {failure}", style="red", markup=False)
        words.print("the whole of it is in the log: aps logs --level error", markup=False)
        sys.exit(int(Exit.FAILED))


if __name__ == "__main__":
    main()
