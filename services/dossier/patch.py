"""Reads a patch, as git writes it, line by line, for whoever shows it in colours."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

MOST_LINES = 4000
_HUNK = re.compile(r"@@ -(?P<old>\d+)(?:,\d+)? \+(?P<new>\d+)(?:,\d+)? @@")
_FILE = "diff --git "
_HEAD = ("--- ", "+++ ", "index ")


class Kind(StrEnum):
    """What a line of a patch says of the file's line."""

    ADDED = "added"
    REMOVED = "removed"
    SAME = "same"
    PLACE = "place"
    NOTE = "note"


@dataclass(frozen=True)
class Line:
    """A line, without its mark, and where it stands before and after; None where it does not."""

    kind: Kind
    text: str
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class FileChange:
    """What becomes of one file."""

    path: str
    lines: tuple[Line, ...]

    @property
    def added(self) -> int:
        """How many lines come."""
        return sum(line.kind is Kind.ADDED for line in self.lines)

    @property
    def removed(self) -> int:
        """How many lines go."""
        return sum(line.kind is Kind.REMOVED for line in self.lines)


@dataclass
class _Reading:
    path: str
    lines: list[Line] = field(default_factory=list)
    in_hunk: bool = False
    before: int = 0
    after: int = 0

    def read(self, text: str) -> None:
        if hunk := _HUNK.match(text):
            self.in_hunk, self.before, self.after = True, int(hunk["old"]), int(hunk["new"])
            self.lines.append(Line(Kind.PLACE, text))
        elif self.in_hunk:
            self._body(text)
        elif not text.startswith(_HEAD):
            self.lines.append(Line(Kind.NOTE, text))

    def _body(self, text: str) -> None:
        mark, rest = text[:1], text[1:]
        if mark == "+":
            self.lines.append(Line(Kind.ADDED, rest, None, self.after))
        elif mark == "-":
            self.lines.append(Line(Kind.REMOVED, rest, self.before, None))
        elif mark == "\\":
            self.lines.append(Line(Kind.NOTE, text))
        else:
            self.lines.append(Line(Kind.SAME, rest, self.before, self.after))
        self.before += mark not in ("+", "\\")
        self.after += mark not in ("-", "\\")


def changes_in(patch: str) -> tuple[FileChange, ...]:
    """Return the files of a patch in its order; of one that is very long, its beginning, and a note."""
    found: list[_Reading] = []
    lines = patch.removesuffix("\n").split("\n")
    for line in lines[:MOST_LINES]:
        if line.startswith(_FILE):
            found.append(_Reading(_path(line.removeprefix(_FILE))))
        elif found:
            found[-1].read(line)
    if found and len(lines) > MOST_LINES:
        found[-1].lines.append(Line(Kind.NOTE, f"{len(lines) - MOST_LINES} more lines are not shown"))
    return tuple(FileChange(one.path, tuple(one.lines)) for one in found)


def _path(names: str) -> str:
    """Return the name in `a/NAME b/NAME`; a file that moves has both, and odd names stay in git's quotes."""
    half = len(names) // 2
    before, after = names[:half].removeprefix("a/"), names[half + 1 :].removeprefix("b/")
    return after if before == after else names
