"""Draws a picture as lines of a width, and no more of them than fit.

Rules
1. Whatever a field holds is shown as text: nothing in it moves the cursor, hides, colours or reorders.
2. A line never wraps. Where a terminal is narrow the ends of lines are left out, where it is low the last
   lines of what is longest; that some were left out is told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.cells import cell_len
from rich.text import Text

from events.budget import dollars
from projections.views.improvement_board import ImprovementRow
from services.cli.monitor.picture import Picture
from services.cycle.text import plain_text
from services.gateway.health import State

NARROWEST = 20
PROJECTOR = "projector"
GAP = "  "
MOST_ROWS = 30
STYLES = {State.OK: "green", State.DEGRADED: "yellow", State.FAILED: "red"}


@dataclass(frozen=True)
class Part:
    """A heading, rows of cells, and how many things they stand for where that is not a row each.

    `nothing` stands where there is no row.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]
    nothing: str = "nothing"
    style: str = ""
    number: int | None = None


def drawn(picture: Picture, width: int, height: int | None = None) -> list[Text]:
    """Return the lines of a picture: at most `height` where one is given, else `MOST_ROWS` of each part."""
    width = max(width, NARROWEST)
    head, parts = _head(picture), _parts(picture)
    rows = [min(max(1, len(part.rows)), MOST_ROWS if height is None else height) for part in parts]
    if height is not None:
        rows = shares(rows, height - len(head) - len(parts))
    lines = [*head]
    for part, shown in zip(parts, rows, strict=True):
        lines += [Text(), *_part(part, shown, width)] if height is None else _part(part, shown, width)
    cut = [_fitted(line, width) for line in lines]
    return cut if height is None else cut[:height]


def shares(wanted: Sequence[int], room: int) -> list[int]:
    """Return how many rows each part shows: nobody more than it wants, and the small ones come first."""
    given = dict.fromkeys(range(len(wanted)), 0)
    left = max(room, len(wanted))
    for place, (part, rows) in enumerate(sorted(enumerate(wanted), key=lambda one: one[1])):
        given[part] = min(rows, left // (len(wanted) - place))
        left -= given[part]
    return list(given.values())


def age(since: datetime, now: datetime) -> str:
    """Return how long ago something was, as people say it."""
    seconds = max(0, int((now - since) / timedelta(seconds=1)))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _head(picture: Picture) -> list[Text]:
    state = picture.state.value if picture.state else "asking"
    style = STYLES[picture.state] if picture.state else ""
    lines = [
        Text.assemble(
            (f"{state:<9}", f"bold {style}"),
            f"{picture.time.astimezone():%H:%M:%S}  event {picture.position}",
        )
    ]
    troubles = [told for told in (picture.problem, picture.paused) if told]
    return [*lines, *(Text(plain_text(told), style="bold red") for told in troubles)]


def _parts(picture: Picture) -> tuple[Part, ...]:
    now = picture.time
    components = [(one.name, one.state.value, one.detail) for one in picture.unwell]
    names = (("ok", picture.well), ("idle", picture.idle))
    return (
        _of(
            "Health",
            (*components, *((how, ", ".join(who)) for how, who in names if who)),
            "not asked yet",
            number=len(picture.unwell) + len(picture.well) + len(picture.idle),
        ),
        _of(
            "Improvements",
            ((status.replace("_", " "), str(n)) for status, n in picture.counts.items()),
            number=sum(picture.counts.values()),
        ),
        _of(
            "In flight",
            (
                (age(t.claimed_at, now), t.work, f"{t.aggregate} {t.id}", t.agent, t.escalated)
                for t in picture.tasks
            ),
        ),
        _of(
            "Waiting for a person",
            (_waiting(row, now) for row in picture.waiting),
            style="yellow",
        ),
        _of(
            "Spend",
            (
                (
                    b.id,
                    f"{dollars(b.committed_micros + b.over_micros)} of {dollars(b.limit_micros)}",
                    f"{b.runs} of {b.limit_runs} calls",
                    f"exhausted: {b.exhausted}" if b.exhausted else "",
                )
                for b in picture.budgets
            ),
            "no engine was called yet",
        ),
        _of(
            "Last outcomes",
            (
                (age(r.updated_at, now), r.status.value.replace("_", " "), r.id, r.title, r.reason)
                for r in picture.outcomes
            ),
        ),
        _of("Dead letters", _given_up(picture), style="red"),
        *_not_applied(picture),
    )


def _waiting(row: ImprovementRow, now: datetime) -> tuple[str, ...]:
    too_long = "too long: " if row.escalated else ""
    return (age(row.blocked_since or row.updated_at, now), row.id, row.title, f"{too_long}{row.blocked}")


def _given_up(picture: Picture) -> Iterable[tuple[str, ...]]:
    for letter in picture.letters:
        yield (str(letter.number), letter.role, letter.subject, letter.reason)


def _not_applied(picture: Picture) -> tuple[Part, ...]:
    """Return what could not be applied and has no open letter, which would tell of it."""
    told = {letter.seq for letter in picture.letters if letter.role == PROJECTOR}
    rows = [
        (str(event.seq), f"{event.aggregate} {event.id}", event.reason)
        for event in picture.poisoned
        if event.seq not in told
    ]
    return (_of("Not applied", rows, style="red"),) if rows else ()


def _of(
    title: str,
    rows: Iterable[tuple[str, ...]],
    nothing: str = "nothing",
    style: str = "",
    number: int | None = None,
) -> Part:
    plain = tuple(tuple(plain_text(cell) for cell in row) for row in rows)
    return Part(title, plain, nothing, style if plain else "", number)


def _part(part: Part, shown: int, width: int) -> list[Text]:
    title = Text.assemble((part.title, f"bold {part.style}"))
    if part.rows:
        left_out = len(part.rows) - shown
        number = len(part.rows) if part.number is None else part.number
        title.append(f" {number}{f', {left_out} not shown' if left_out else ''}", "dim")
    rows = part.rows[:shown] if part.rows else ((part.nothing,),)
    return [title, *_columns(rows, width)]


def _columns(rows: Sequence[tuple[str, ...]], width: int) -> list[Text]:
    """Return rows with their cells one below the other; none but the last takes more than a third."""
    most = max((len(row) for row in rows), default=0)
    widths = [
        min(width // 3, max(cell_len(row[n]) for row in rows if n < len(row) - 1))
        for n in range(most - 1)
        if any(n < len(row) - 1 for row in rows)
    ]
    lines = []
    for row in rows:
        line = Text(GAP)
        for n, cell in enumerate(row[:-1]):
            line.append_text(_fitted(Text(cell), widths[n], pad=True)).append(GAP)
        lines.append(line.append(row[-1]))
    return lines


def _fitted(line: Text, width: int, *, pad: bool = False) -> Text:
    line.truncate(width, overflow="ellipsis", pad=pad)
    line.no_wrap, line.end = True, "\n"
    return line
