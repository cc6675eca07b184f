"""The result table for the terminal; plain lines where stdout is none.

Text of the target is shown as text only: no markup, no control characters.
"""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cycle.outcome import Outcome, Result
from services.cycle.text import plain_text, shortened
from services.cycle.words import Standing, change_of, standing, totals

COLOURS: dict[Standing, str] = {
    Standing.LANDED: "green",
    Standing.PARTLY: "yellow",
    Standing.WAITING: "cyan",
    Standing.REFUSED: "red",
    Standing.DECLINED: "red",
    Standing.TAKEN_BACK: "magenta",
    Standing.NOT_DEPLOYED: "red",
    Standing.UNDER_WAY: "dim",
}
COLUMNS = ("Improvement", "Rule", "Title", "Status", "Findings", "Files", "Reason")
NARROW = ("Improvement", "Title", "Status", "Findings", "Files")
FIXED = ("Improvement", "Rule", "Status", "Findings", "Files")
WIDE = 120
TITLE = 50
GAP = 2
REASON = 160


def show(outcome: Outcome, console: Console) -> None:
    """Write the table, or plain lines, and the totals to `console`."""
    if not console.is_terminal:
        console.file.writelines(f"{line}\n" for line in lines(outcome))  # rich would turn tabs into spaces
        return
    if outcome.improvements:
        console.print(table(outcome, console.width))
    console.print(Text(totals(outcome), style="bold"))


def lines(outcome: Outcome) -> tuple[str, ...]:
    """Return one line an improvement, its fields parted by tabs, and the totals."""
    return (*("\t".join(_cells(outcome, one)) for one in outcome.improvements), totals(outcome))


def table(outcome: Outcome, width: int) -> Table:
    """Return the table, one line an improvement.

    Identifiers stand whole, because a person copies them; titles are cut to what `width` leaves, and
    reasons and rules are shown only where there is room.
    """
    shown = COLUMNS if width >= WIDE else NARROW
    rows = [[Text(cell) for cell in _cells(outcome, one)] for one in outcome.improvements]
    fixed = {name: max(len(name), *(row[COLUMNS.index(name)].cell_len for row in rows)) for name in FIXED}
    room = width - sum(fixed[name] for name in shown if name in fixed) - GAP * (len(shown) - 1)
    title = max(12, room if shown is NARROW else min(TITLE, room // 2))
    cut = {"Title": title, "Reason": max(12, room - title)}
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for name in shown:
        right = name in ("Findings", "Files")
        drawn.add_column(name, no_wrap=True, min_width=fixed.get(name), justify="right" if right else "left")
    for one, row in zip(outcome.improvements, rows, strict=True):
        cells = dict(zip(COLUMNS, row, strict=True))
        cells["Status"].stylize(COLOURS[standing(outcome, one)])
        for name, length in cut.items():
            cells[name].truncate(length, overflow="ellipsis")
        drawn.add_row(*(cells[name] for name in shown))
    return drawn


def _cells(outcome: Outcome, one: Result) -> tuple[str, ...]:
    return (
        plain_text(one.id),
        plain_text(one.rule),
        plain_text(one.title),
        standing(outcome, one).value,
        change_of(outcome, one.rule),
        str(len(one.files)),
        shortened(one.reason, REASON),
    )
