"""Reads source both ways a codemod needs: `ast` to decide, libcst to rewrite without touching the rest."""

import ast

import libcst as cst

from services.engines.deterministic.codemods.codemod import Position
from services.engines.deterministic.source import Source


class Unreadable(Exception):  # noqa: N818 -- says what happened, as the glossary has it
    """The source cannot be parsed by the running Python, or not by libcst without a loss."""


class Parsed:
    """A module in both forms, and where its `ast` nodes begin."""

    def __init__(self, text: str) -> None:
        """Parse `text`; raises Unreadable."""
        self._source = Source(text)
        tree = self._source.parse()
        if tree is None:
            raise Unreadable("the file does not parse")
        self.tree: ast.Module = tree
        try:
            self.module = cst.parse_module(text)
        except (cst.ParserSyntaxError, RecursionError, ValueError) as err:
            raise Unreadable("the file does not parse with libcst") from err
        if self.module.code != text:  # it drops form feeds at the beginning of a line
            raise Unreadable("libcst would change more than the fix")

    def lines(self, first: int, last: int) -> list[str]:
        """Give the text of rows `first` to `last`, stripped."""
        return [self._source.line(row) for row in range(first, last + 1)]

    def position(self, node: ast.stmt | ast.expr) -> Position:
        """Give the beginning of a node as ruff counts it; `ast` counts bytes."""
        start = self._source.line_starts[node.lineno - 1]
        column = node.col_offset
        if not self._source.text.isascii():
            line = self._source.text[start : start + column]
            column = len(line.encode()[:column].decode(errors="ignore"))
        return Position(node.lineno, column + 1)
