"""B904: raise from the caught exception, so that the traceback shows the cause as the cause.

Rules:
1. The cause is always the caught exception; `from None` would hide it and is never written.
2. A handler without a name gets one that nothing in its scope uses; sibling handlers may share it,
   as Python unbinds the name where the handler ends.
3. Left alone: a raise of the caught exception itself, one in a nested function or class (the name is
   unbound when that runs), and one whose handler binds the name again.

The decision is made on `ast`, which tells binding from use; the rewriting by libcst, which keeps every
byte around it. Both visit statements in source order, so a statement is named by its ordinal.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

import libcst as cst

from services.engines.deterministic.codemods.codemod import Position, Rewritten
from services.engines.deterministic.codemods.parsing import Parsed, Unreadable

NAMES = ("err", "exc", "error", "caught")
_BOUNDARIES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True)
class RaiseFrom:
    """Adds `from <caught exception>` to raises inside `except`."""

    rule: str = "B904"

    def rewrite(self, text: str, wanted: frozenset[Position]) -> Rewritten:
        """Add the cause to each wanted raise."""
        try:
            parsed = Parsed(text)
        except Unreadable as err:
            return Rewritten(text, dict.fromkeys(wanted, str(err)))
        plan = _plan(parsed, wanted)
        return Rewritten(parsed.module.visit(_Rewriting(plan)).code if plan.causes else text, plan.refused)


@dataclass(frozen=True)
class _Plan:
    """Causes by ordinal of the raise, new names by ordinal of the handler, and what is left alone."""

    causes: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    refused: dict[Position, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Raise:
    ordinal: int
    node: ast.Raise
    handlers: tuple[ast.ExceptHandler, ...]
    """The handlers around it, innermost first, up to the next function or class."""
    scope: ast.AST


def _plan(parsed: Parsed, wanted: frozenset[Position]) -> _Plan:
    plan = _Plan()
    raises, ordinals = _survey(parsed.tree)
    names: dict[ast.ExceptHandler, str] = {}
    missing = set(wanted)
    for found in raises:
        place = parsed.position(found.node)
        if place not in wanted:
            continue
        missing.discard(place)
        reason = _why_not(found)
        if reason is not None:
            plan.refused[place] = reason
            continue
        handler = found.handlers[0]
        if handler.name is None and handler not in names:
            names[handler] = _free_name(handler, found, names)
            plan.names[ordinals[handler]] = names[handler]
        plan.causes[found.ordinal] = handler.name or names[handler]
    plan.refused.update(dict.fromkeys(missing, "no raise statement begins here"))
    return plan


def _survey(tree: ast.Module) -> tuple[list[_Raise], dict[ast.ExceptHandler, int]]:
    raises: list[_Raise] = []
    ordinals: dict[ast.ExceptHandler, int] = {}
    counter = count()

    def visit(node: ast.AST, handlers: tuple[ast.ExceptHandler, ...], scope: ast.AST) -> None:
        if isinstance(node, ast.Raise):
            raises.append(_Raise(next(counter), node, handlers, scope))
        if isinstance(node, ast.ExceptHandler):
            ordinals[node] = len(ordinals)
            handlers = (node, *handlers)
        if isinstance(node, _BOUNDARIES):
            handlers, scope = (), node
        for child in ast.iter_child_nodes(node):
            visit(child, handlers, scope)

    visit(tree, (), tree)
    return raises, ordinals


def _why_not(found: _Raise) -> str | None:
    if not found.handlers:
        return "the raise is in a function or class of its own"
    name = found.handlers[0].name
    if name is None:
        return None
    if _is_itself(found.node.exc, name):
        return "the raise is of the caught exception itself"
    if any(_binds(node, name) for child in found.handlers[0].body for node in ast.walk(child)):
        return f"the handler binds {name} again"
    return None


def _is_itself(raised: ast.expr | None, name: str) -> bool:
    if isinstance(raised, ast.Call) and isinstance(raised.func, ast.Attribute):
        return raised.func.attr == "with_traceback" and _is_itself(raised.func.value, name)
    return isinstance(raised, ast.Name) and raised.id == name


def _binds(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Name):
        return node.id == name and not isinstance(node.ctx, ast.Load)
    return name in _words(node)


def _free_name(handler: ast.ExceptHandler, found: _Raise, given: Mapping[ast.ExceptHandler, str]) -> str:
    inner = {n for n in ast.walk(handler) if isinstance(n, ast.ExceptHandler)}
    related = inner | set(found.handlers)
    near = {given[h] for h in related if h in given}
    candidates = (*NAMES, *(f"err_{n}" for n in range(2, 1000)))
    return next(n for n in candidates if n not in near and not _uses(found.scope, n, related))


def _uses(node: ast.AST, name: str, related: set[ast.ExceptHandler]) -> bool:
    if isinstance(node, ast.ExceptHandler) and node.name == name and node not in related:
        return node.type is not None and _uses(node.type, name, related)
    if name in _words(node):
        return True
    return any(_uses(child, name, related) for child in ast.iter_child_nodes(node))


def _words(node: ast.AST) -> Iterator[str]:
    """The names that a node itself binds, declares or reads."""
    match node:
        case ast.Name(id=name) | ast.arg(arg=name):
            yield name
        case ast.alias(name=name, asname=asname):
            yield asname or name.partition(".")[0]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case _:
            pass


class _Rewriting(cst.CSTTransformer):
    """Writes the plan, counting raises and handlers in source order."""

    def __init__(self, plan: _Plan) -> None:
        super().__init__()
        self._plan = plan
        self._raises = count()
        self._handlers = count()
        self._open: list[int] = []

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:  # noqa: N802 -- libcst's name
        return any(isinstance(statement, cst.Raise) for statement in node.body)  # visiting all is slow

    def visit_Parameters(self, node: cst.Parameters) -> bool:  # noqa: N802 -- libcst's name
        return False

    def visit_ExceptHandler(self, node: cst.ExceptHandler) -> None:  # noqa: N802 -- libcst's name
        self._open.append(next(self._handlers))

    def visit_ExceptStarHandler(self, node: cst.ExceptStarHandler) -> None:  # noqa: N802 -- libcst's name
        self._open.append(next(self._handlers))

    def leave_Raise(  # noqa: N802 -- libcst's name
        self, original_node: cst.Raise, updated_node: cst.Raise
    ) -> cst.Raise:
        name = self._plan.causes.get(next(self._raises))
        return updated_node if name is None else updated_node.with_changes(cause=cst.From(cst.Name(name)))

    def leave_ExceptHandler(  # noqa: N802 -- libcst's name
        self, original_node: cst.ExceptHandler, updated_node: cst.ExceptHandler
    ) -> cst.ExceptHandler:
        name = self._plan.names.get(self._open.pop())
        if name is None:
            return updated_node
        if updated_node.type is None:
            updated_node = updated_node.with_changes(
                type=cst.Name("BaseException"), whitespace_after_except=cst.SimpleWhitespace(" ")
            )
        return updated_node.with_changes(name=cst.AsName(cst.Name(name)))

    def leave_ExceptStarHandler(  # noqa: N802 -- libcst's name
        self, original_node: cst.ExceptStarHandler, updated_node: cst.ExceptStarHandler
    ) -> cst.ExceptStarHandler:
        name = self._plan.names.get(self._open.pop())
        return updated_node if name is None else updated_node.with_changes(name=cst.AsName(cst.Name(name)))
