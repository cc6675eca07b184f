"""What of a syntax tree can be reached: not what stands behind a return or under what never holds."""

import ast
from collections.abc import Callable, Iterable, Iterator

_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def walked(node: ast.AST, parts: Callable[[ast.AST], Iterable[ast.AST]]) -> Iterator[ast.AST]:
    """Yield a node, its `parts`, the parts of these and so on, in no particular order."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += parts(current)


def reached(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it that can be reached, in no particular order."""
    return walked(node, below)


def always_true(test: ast.expr) -> bool:
    """Whether a condition holds whatever happens."""
    match test:
        case ast.NamedExpr(value=value):
            return always_true(value)
        case ast.BoolOp(op=op, values=values):
            return (any if isinstance(op, ast.Or) else all)(map(always_true, values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return always_false(operand)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _holds(left, op, right)
        case _:
            return _is_something(test)


def _is_something(value: ast.expr) -> bool:
    """Whether an expression is true by being there at all."""
    match value:
        case ast.Constant(value=constant):
            return bool(constant)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts) | ast.Dict(values=parts):
            return bool(parts)
        case ast.Lambda() | ast.GeneratorExp():
            return True  # a function or a generator, not what it would give
        case ast.Call(func=ast.Name("isinstance"), args=[_, ast.Name("object")]):
            return True
        case _:
            return False


def always_false(test: ast.expr) -> bool:
    """Whether a condition never holds, as far as its text tells."""
    match test:
        case ast.Constant(value=value):
            return not value
        case ast.Tuple(elts=[]) | ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return always_true(operand)
        case ast.BoolOp(op=ast.And(), values=values):
            return any(always_false(value) for value in values)
        case ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case _:
            return False


def _holds(left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool:
    same = ast.dump(left) == ast.dump(right)
    match op, left, right:
        case ((ast.Eq() | ast.Is() | ast.GtE() | ast.LtE()), _, _) if same:
            return True
        case ast.NotEq() | ast.IsNot(), ast.Constant(), ast.Constant():
            return not same
        case ast.GtE(), ast.Call(func=ast.Name("len")), ast.Constant(value=0):
            return True
        case _:
            return False


def below(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node that can be reached."""
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            return [
                test,
                *([] if always_false(test) else _until_left(body)),
                *([] if always_true(test) else _until_left(orelse)),
            ]
        case ast.While(test=test, body=body, orelse=orelse):
            return [test, *([] if always_false(test) else _until_left(body)), *_until_left(orelse)]
        case ast.For(iter=ast.List(elts=[]) | ast.Tuple(elts=[]), orelse=orelse):
            return list(_until_left(orelse))
        case _:
            return [child for _, value in ast.iter_fields(node) for child in _children(value)]


def _children(value: object) -> list[ast.AST]:
    if isinstance(value, ast.AST):
        return [value]
    if not isinstance(value, list):
        return []
    if value and isinstance(value[0], ast.stmt):
        return _until_left(value)
    return [child for child in value if isinstance(child, ast.AST)]


def _until_left(block: list[ast.stmt]) -> list[ast.AST]:
    """The statements of a block up to the one that leaves it for good."""
    kept: list[ast.AST] = []
    for statement in block:
        kept.append(statement)
        if _leaves(statement):
            break
    return kept


def _leaves(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(test=test, body=body) if always_true(test):
            return any(map(_leaves, body))
        case _:
            return isinstance(statement, _LEAVES)
