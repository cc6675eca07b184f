"""What a module offers to others, read from its source.

Rules
1. Public is what `__all__` lists where it is literal; else every name without a leading underscore
   that the module defines, and what it re-exports: `import x as x`, or any import of an `__init__`.
2. Of a function its parameters count (kind, name, whether there is a default), not the annotations.
3. Of a class its public and special methods and its attributes count.
"""

import ast
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

VALUE = "value"

_VERSIONS = ((3, 8), (3, 99))  # the oldest and the newest Python whose branches count

_VERSION_WORDS = ("sys.version_info", "sys.version_info[0]", "sys.version_info.major")
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_MARKS = frozenset({"property", "cached_property", "staticmethod", "classmethod", "setter", "deleter",
                    "contextmanager", "asynccontextmanager", "overload"})  # fmt: skip
KEPT = 64  # in a stack, what one change leaves of a file is what the next one finds


@lru_cache(KEPT)
def public_names(source: str, *, package: bool) -> Mapping[str, str]:
    """Describe each public name, methods as `Class.method`. `package`: the source of an `__init__`.

    The same text gives the same names, which nobody may change. Raises SyntaxError or ValueError for a
    source that does not parse.
    """
    tree = ast.parse(source)
    described = {
        name: description
        for node in _statements(tree.body)
        for name, description in _definitions(node, package=package)
    }
    listed = _listed(tree)
    if listed is None:
        return {name: text for name, text in described.items() if _is_public(name)}
    return {name: text for name, text in described.items() if name.partition(".")[0] in listed} | {
        name: VALUE for name in listed if name not in described
    }


def _is_public(name: str) -> bool:
    first, *rest = name.split(".")
    special = all(
        not word.startswith("_") or (word.endswith("__") and word != "__metaclass__") for word in rest
    )
    return special and not first.startswith("_")


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement of a body, those under conditions, loops and handlers included."""
    for node in body:
        yield node
        match node:
            case ast.If():
                yield from _statements(_taken(node))
            case ast.For() | ast.While():
                yield from _statements(chain(node.body, node.orelse))
            case ast.Try():
                handlers = chain.from_iterable(handler.body for handler in node.handlers)
                yield from _statements(chain(node.body, handlers, node.orelse, node.finalbody))
            case ast.With():
                yield from _statements(node.body)
            case _:
                pass


def _taken(node: ast.If) -> Iterator[ast.stmt]:
    """The branches that some supported Python takes."""
    verdicts = {_holds(node.test, version) for version in _VERSIONS}
    return chain(node.body if verdicts != {False} else (), node.orelse if verdicts != {True} else ())


def _holds(test: ast.expr, version: tuple[int, int]) -> bool | None:
    """Evaluate a comparison of `sys.version_info` for `version`; None for any other condition."""
    left = ast.unparse(test.left) if isinstance(test, ast.Compare) else ""
    if not isinstance(test, ast.Compare) or left not in _VERSION_WORDS or type(test.ops[0]) not in _ORDER:
        return None
    value = version if left == "sys.version_info" else version[0]
    try:
        return _ORDER[type(test.ops[0])](value, ast.literal_eval(test.comparators[0]))
    except (ValueError, TypeError):  # not a literal, or one that no version compares with
        return None


def _definitions(node: ast.stmt, *, package: bool) -> Iterator[tuple[str, str]]:
    """The names a statement binds, with what they are."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name, _signature(node)
        case ast.ClassDef():
            yield node.name, "class"
            for inner in _statements(node.body):
                yield from (
                    (f"{node.name}.{name}", text) for name, text in _definitions(inner, package=False)
                )
        case ast.Import() | ast.ImportFrom():
            yield from ((name, VALUE) for name in _reexported(node, package=package))
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = (inner for target in targets for inner in ast.walk(target))
            yield from (
                (n.id, VALUE) for n in names if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            )
        case _:
            pass


def _reexported(node: ast.Import | ast.ImportFrom, *, package: bool) -> Iterator[str]:
    for alias in node.names:
        if alias.name == "*":
            yield f"everything of {'.' * getattr(node, 'level', 0)}{getattr(node, 'module', None) or ''}"
        elif getattr(node, "module", None) != "__future__" and (package or alias.asname == alias.name):
            yield alias.asname or alias.name.partition(".")[0]


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Write a function's parameters as callers see them, `=` marking a default."""
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    without = len(positional) - len(args.defaults)
    words = [arg.arg + ("=" if n >= without else "") for n, arg in enumerate(positional)]
    if args.posonlyargs:
        words.insert(len(args.posonlyargs), "/")
    if args.vararg:
        words.append(f"*{args.vararg.arg}")
    elif args.kwonlyargs:
        words.append("*")
    words += [
        arg.arg + ("=" if default is not None else "")
        for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
    ]
    if args.kwarg:
        words.append(f"**{args.kwarg.arg}")
    marks = sorted(
        f"@{name} " for decorator in node.decorator_list if (name := _last_word(decorator)) in _MARKS
    )
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    return f"{''.join(marks)}{kind}({', '.join(words)})"


def _last_word(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _listed(tree: ast.Module) -> frozenset[str] | None:
    """The names of a literal `__all__`, additions to it included; None where there is none."""
    listed: set[str] | None = None
    for node in _statements(tree.body):
        match node:
            case (
                ast.Assign(targets=[ast.Name("__all__")], value=value)
                | ast.AnnAssign(target=ast.Name("__all__"), value=ast.expr() as value)
                | ast.AugAssign(target=ast.Name("__all__"), value=value)
            ):
                names = _strings(value)
                if names is None:
                    return None
                listed = (listed or set()) | names
            case _:
                pass
    return None if listed is None else frozenset(listed)


def _strings(value: ast.expr) -> set[str] | None:
    """The strings of a literal list or tuple, or of a sum of such; None for anything else."""
    match value:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            strings = [e.value for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str)]
            return set(strings) if len(strings) == len(elements) else None
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = _strings(left), _strings(right)
            return None if one is None or other is None else one | other
        case _:
            return None
