"""Draws the components that a change touches, and those that know them, as a C4 component view."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.improvement import Component

MOST = 24
WIDTH, HEIGHT, GAP, BETWEEN = 300, 52, 18, 150
LONGEST = 40


@dataclass(frozen=True)
class Box:
    """A component where it stands; `label` is cut to what fits, `module` is whole."""

    x: int
    y: int
    label: str
    module: str
    note: str
    touched: bool


@dataclass(frozen=True)
class Arrow:
    """An import: from the importer to what it imports."""

    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True)
class Drawing:
    """The whole view; `left_out` counts components there was no room for."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    left_out: int


def drawn(components: Sequence[Component]) -> Drawing | None:
    """Place what knows the touched components on the left, and these on the right; None where none is."""
    if not components:
        return None
    shown = sorted(components, key=lambda one: (not one.touched, -one.fan_in, one.module))[:MOST]
    knowing = [one for one in shown if not one.touched]
    touched = [one for one in shown if one.touched]
    right = WIDTH + BETWEEN if knowing else 0
    boxes = {one.module: _box(one, 0, row) for row, one in enumerate(knowing)}
    boxes |= {one.module: _box(one, right, row) for row, one in enumerate(touched)}
    arrows = tuple(
        Arrow(WIDTH, _middle(boxes[one.module]), right, _middle(boxes[name]))
        for one in knowing
        for name in one.imports
        if name in boxes and boxes[name].touched
    )
    rows = max(len(knowing), len(touched))
    return Drawing(
        width=right + WIDTH + 2,
        height=rows * (HEIGHT + GAP),
        boxes=tuple(boxes.values()),
        arrows=arrows,
        left_out=len(components) - len(shown),
    )


def _box(one: Component, x: int, row: int) -> Box:
    cut = one.module if len(one.module) <= LONGEST else f"…{one.module[1 - LONGEST :]}"
    note = f"{'touched, ' if one.touched else ''}imported by {one.fan_in}"
    return Box(x + 1, row * (HEIGHT + GAP) + 1, cut, one.module, note, one.touched)


def _middle(box: Box) -> int:
    return box.y + HEIGHT // 2
