"""PERF402: copy items with `extend` instead of a loop of `append`.

Rules:
1. Only a loop that does nothing else, inside a function, over something other than the list itself.
2. Left alone: a loop whose variable is used elsewhere in the function, since it outlives the loop, and
   one with a comment, which would be lost.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import libcst as cst

from services.engines.deterministic.codemods.codemod import Position, Rewritten
from services.engines.deterministic.codemods.parsing import Parsed, Unreadable

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class ListExtend:
    """Replaces `for x in xs: out.append(x)` by `out.extend(xs)`."""

    rule: str = "PERF402"

    def rewrite(self, text: str, wanted: frozenset[Position]) -> Rewritten:
        """Replace each wanted loop."""
        try:
            parsed = Parsed(text)
        except Unreadable as err:
            return Rewritten(text, dict.fromkeys(wanted, str(err)))
        ordinals: set[int] = set()
        refused = dict.fromkeys(wanted, "no loop of appends begins here")
        for ordinal, (loop, function) in enumerate(_loops(parsed.tree, None)):
            place = parsed.position(loop.body[0])
            if place not in wanted:
                continue
            reason = _why_not(loop, function) or _why_not_as_written(loop, parsed)
            if reason is None:
                ordinals.add(ordinal)
                del refused[place]
            else:
                refused[place] = reason
        return Rewritten(parsed.module.visit(_Rewriting(ordinals)).code if ordinals else text, refused)


def _loops(
    node: ast.AST, function: ast.AST | None
) -> Iterator[tuple[ast.For | ast.AsyncFor, ast.AST | None]]:
    """Loops in source order, each with the function around it, if any."""
    if isinstance(node, ast.For | ast.AsyncFor):
        yield node, function
    if isinstance(node, _FUNCTIONS):
        function = node
    elif isinstance(node, ast.ClassDef):
        function = None
    for child in ast.iter_child_nodes(node):
        yield from _loops(child, function)


def _why_not(loop: ast.For | ast.AsyncFor, function: ast.AST | None) -> str | None:
    if function is None:
        return "the loop's variable is a name of the module or class"
    match loop:
        case ast.For(
            target=ast.Name(id=item),
            body=[
                ast.Expr(
                    value=ast.Call(
                        func=ast.Attribute(value=ast.Name(id=result), attr="append"),
                        args=[ast.Name(id=appended)],
                        keywords=[],
                    )
                )
            ],
            orelse=[],
        ) if item == appended != result:
            pass
        case _:
            return "the loop does more than append"
    if _mentions(loop.iter, result) or _mentions(loop.iter, item):
        return "the loop reads what it changes"
    if _mentions(function, item) != _mentions(loop, item):
        return f"{item} is used elsewhere in the function"
    return None


def _why_not_as_written(loop: ast.For | ast.AsyncFor, parsed: Parsed) -> str | None:
    if loop.body[0].lineno == loop.lineno:
        return "the loop stands on one line"
    if any("#" in line for line in parsed.lines(loop.lineno, loop.end_lineno or loop.lineno)):
        return "a comment would be lost"
    return None


def _mentions(node: ast.AST, name: str) -> int:
    return sum(
        (isinstance(n, ast.Name) and n.id == name)
        or (isinstance(n, ast.arg) and n.arg == name)
        or (isinstance(n, ast.Global | ast.Nonlocal) and name in n.names)
        for n in ast.walk(node)
    )


class _Rewriting(cst.CSTTransformer):
    def __init__(self, ordinals: set[int]) -> None:
        super().__init__()
        self._ordinals = ordinals
        self._next = count()
        self._open: list[int] = []

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:  # noqa: N802 -- libcst's name
        return False  # no loop in it, and visiting all is slow

    def visit_For(self, node: cst.For) -> None:  # noqa: N802 -- libcst's name
        self._open.append(next(self._next))

    def leave_For(  # noqa: N802 -- libcst's name
        self, original_node: cst.For, updated_node: cst.For
    ) -> cst.BaseStatement:
        if self._open.pop() not in self._ordinals:
            return updated_node
        append = cst.ensure_type(updated_node.body.body[0], cst.SimpleStatementLine).body[0]
        function = cst.ensure_type(
            cst.ensure_type(cst.ensure_type(append, cst.Expr).value, cst.Call).func, cst.Attribute
        )
        items = updated_node.iter
        if isinstance(items, cst.Tuple) and not items.lpar:
            items = items.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        extend = cst.Call(func=function.with_changes(attr=cst.Name("extend")), args=[cst.Arg(items)])
        return cst.SimpleStatementLine(body=[cst.Expr(extend)], leading_lines=updated_node.leading_lines)
