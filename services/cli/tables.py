"""Tables on stdout: fitted to a terminal, never cut where a program reads them, free of hidden characters."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cycle.text import plain_text

UNBOUNDED = 10_000  # as wide as the content


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "none") -> None:
    """Print rows under columns; a column whose name ends in `!` is never broken."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.rstrip("!"), no_wrap=column.endswith("!"), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    if not table.row_count:
        print(empty)
        return
    console = Console()
    if console.is_terminal:
        console.print(table)
        return
    written = StringIO()
    Console(width=UNBOUNDED, file=written).print(table)
    for line in written.getvalue().splitlines():
        print(line.rstrip())


def show_lines(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one a line; empty values are left out."""
    shown = [(name, _cell(value)) for name, value in pairs if value not in ("", None, (), 0)]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name:<{width}}  {value}")


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone():%Y-%m-%d %H:%M:%S}"
        case tuple() | list():
            return plain_text(", ".join(str(item) for item in value))
        case _:
            return plain_text(str(value))
