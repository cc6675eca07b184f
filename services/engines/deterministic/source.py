"""A source file as text: decoding, lines, positions and scopes, without losing a byte.

Rules:
1. Columns count characters, not bytes, and the byte order mark is no character (ruff counts so).
2. Only `\\n`, `\\r\\n` and `\\r` end a line; `str.splitlines` would also split at form feeds.
"""

import ast
import bisect
import io
import re
import sys
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

UTF_8 = "utf-8-sig"  # whether a mark opens the file or not
BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(r"\r\n|\n|\r")
_SUPPRESSION = re.compile(
    r"#\s*(noqa|type:\s*ignore|ruff:|flake8:|pylint:\s*disable|pyright:|mypy:|pragma:\s*no)", re.IGNORECASE
)
USUAL_GRAMMAR = 10  # tried first: nearly every file is read by it, and fixes are seldom for an older one
_BODIES = ("body", "handlers", "orelse", "finalbody", "cases")  # where a definition can stand
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def text_of(content: bytes) -> str:
    """Decode a source file as Python does (PEP 263), without its byte order mark, to look at it.

    What its declared encoding cannot read, or an unknown encoding, is read as UTF-8 with replacements.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        return content.decode(UTF_8, "replace")


@dataclass(frozen=True)
class Source:
    """A decoded file; `bom` says whether it opened with a byte order mark."""

    text: str
    bom: bool = False

    @classmethod
    def decode(cls, content: bytes) -> "Source":
        """Decode UTF-8; raises UnicodeDecodeError for anything else, as ruff does."""
        bom = content.startswith(BOM)
        return cls(text=content.removeprefix(BOM).decode("utf-8"), bom=bom)

    def encode(self) -> bytes:
        """Give back the bytes that `decode` read."""
        return (BOM if self.bom else b"") + self.text.encode("utf-8")

    @cached_property
    def line_starts(self) -> list[int]:
        """Offsets at which lines begin."""
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def offset(self, row: int, column: int) -> int:
        """Turn a position counted from 1 into an offset; a row past the end means the end."""
        if row > len(self.line_starts):
            return len(self.text)
        return min(self.line_starts[row - 1] + column - 1, len(self.text))

    def row(self, offset: int) -> int:
        """Give the row, counted from 1, that holds `offset`."""
        return bisect.bisect_right(self.line_starts, offset)

    def line(self, row: int) -> str:
        """Give the text of a row, stripped; empty when there is no such row."""
        if not 1 <= row <= len(self.line_starts):
            return ""
        end = self.line_starts[row] if row < len(self.line_starts) else len(self.text)
        return self.text[self.line_starts[row - 1] : end].strip()

    def parse(self) -> ast.Module | None:
        """Parse the module; None when it does not parse with the running Python."""
        return _parse(self.text)

    @property
    def parses(self) -> bool:
        """Whether the running Python can parse the module."""
        return _outline(self.text) is not None

    def fits(self, minor: int) -> bool:
        """Whether the grammar of an older Python 3, given by its minor version, reads the module."""
        outline = _outline(self.text)
        if outline is None or minor >= USUAL_GRAMMAR:
            return outline is not None and outline.needs <= minor
        return outline.needs == USUAL_GRAMMAR and _reads(self.text, minor)

    def scope(self, row: int) -> str:
        """Give the dotted name of the innermost function or class around `row`."""
        outline = _outline(self.text)
        if outline is None:
            return ""
        at = bisect.bisect_right(outline.rows, row)
        return outline.names[at - 1] if at else ""

    @cached_property
    def rows_by_text(self) -> Mapping[str, frozenset[int]]:
        """The rows that read the same, stripped, by what they read."""
        found: dict[str, set[int]] = {}
        for row in range(1, len(self.line_starts) + 1):
            found.setdefault(self.line(row), set()).add(row)
        return {text: frozenset(rows) for text, rows in found.items()}

    @cached_property
    def newlines(self) -> frozenset[str]:
        """The kinds of line ending in use."""
        return frozenset(_LINE_END.findall(self.text))

    @cached_property
    def suppressions(self) -> int:
        """How many comments ask a tool to look away."""
        return len(_SUPPRESSION.findall(self.text))


def _parse(text: str, minor: int = sys.version_info.minor) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text, feature_version=(3, minor))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


@dataclass(frozen=True)
class _Outline:
    """Rows at which another function or class begins or goes on, with its name, and the first grammar,
    from `USUAL_GRAMMAR` on, that reads the module."""

    rows: tuple[int, ...]
    names: tuple[str, ...]
    needs: int


@lru_cache(maxsize=256)  # the same base files are looked at once for every rule
def _outline(text: str) -> _Outline | None:
    for minor in range(USUAL_GRAMMAR, sys.version_info.minor + 1):
        tree = _parse(text, minor)
        if tree is not None:
            turns = _turns(sorted(_named_blocks(tree, "")))
            return _Outline(tuple(turns), tuple(turns.values()), minor)
    return None


def _turns(blocks: Iterable[tuple[int, int, str]]) -> dict[int, str]:
    """Give the innermost block by the row from which it is that, in order; a later one wins a row.

    `blocks` are nested, and ordered by where they begin.
    """
    turns: dict[int, str] = {}
    around: list[tuple[int, str]] = []
    for start, end, name in blocks:
        _leave(turns, around, start)
        turns[start] = name
        around.append((end, name))
    _leave(turns, around, sys.maxsize)
    return turns


def _leave(turns: dict[int, str], around: list[tuple[int, str]], row: int) -> None:
    """Note the ends of the blocks that end before `row`."""
    while around and around[-1][0] < row:
        end, _ = around.pop()
        turns[end + 1] = around[-1][1] if around else ""


@lru_cache(maxsize=256)
def _reads(text: str, minor: int) -> bool:
    return _parse(text, minor) is not None


def _named_blocks(node: ast.AST, outer: str) -> Iterator[tuple[int, int, str]]:
    for child in (child for body in _BODIES for child in getattr(node, body, ())):
        if isinstance(child, _SCOPES):
            name = f"{outer}.{child.name}" if outer else child.name
            yield child.lineno, child.end_lineno or child.lineno, name
            yield from _named_blocks(child, name)
        else:
            yield from _named_blocks(child, outer)


def damage(before: Source, after: Source, oldest: int) -> str | None:
    """Say why `after` must not replace `before`, or None when it may.

    `oldest` is the minor version of the oldest Python 3 that must still read what it could read before.
    """
    if before.parses and not after.parses:
        return "the fixed file would no longer parse"
    if before.fits(oldest) and not after.fits(oldest):
        return f"the fixed file would need a newer Python than 3.{oldest}"
    if before.bom != after.bom:
        return "the fix would change the byte order mark"
    if not after.newlines <= before.newlines:
        return "the fix would change the line endings"
    if after.suppressions > before.suppressions:
        return "the fix only suppresses the finding"
    return None
