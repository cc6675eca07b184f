"""What a test file demands, read from its source: its tests, what they assert, and what weakens them."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_SKIPS = frozenset({
    "skip", "skipif", "xfail", "skipIf", "skipUnless", "skipTest", "SkipTest", "importorskip",
    "expectedFailure", "collect_ignore", "collect_ignore_glob", "__test__",
})  # fmt: skip
_EXPECTATIONS = frozenset({"raises", "warns", "deprecated_call", "fail"})
_BROAD = frozenset({"Exception", "BaseException", "AssertionError"})
_SUPPRESSIONS = {
    "noqa": re.compile(r"#\s*(?:ruff:\s*|flake8:\s*)?noqa", re.IGNORECASE),
    "type: ignore": re.compile(r"#\s*(?:type|pyright|mypy|ty):\s*ignore", re.IGNORECASE),
    "pragma: no cover": re.compile(r"#\s*pragma:\s*no\s*(?:cover|branch)", re.IGNORECASE),
    "nosec": re.compile(r"#\s*nosec", re.IGNORECASE),
    "pylint: disable": re.compile(r"#\s*pylint:\s*(?:disable|skip-file)", re.IGNORECASE),
    "isort: skip": re.compile(r"#\s*isort:\s*skip", re.IGNORECASE),
    "noinspection": re.compile(r"#\s*noinspection"),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
KEPT = 64  # in a stack, what one change leaves of a file is what the next one finds


@dataclass(frozen=True)
class Strictness:
    """What one test file demands.

    `assertions` counts them by the dotted name of each function, of the last one where a name is
    defined again, as only that is collected. `hollow` counts assertions that cannot fail, expectations
    of any error at all and handlers that swallow a failed assertion; `skips` mentions of skipping.
    """

    assertions: dict[str, int]
    hollow: int
    skips: Counter[str]

    @property
    def tests(self) -> frozenset[str]:
        """The names a test runner may collect: functions and classes named `test…` in any case."""
        return frozenset(
            name for name in self.assertions if name.rpartition(".")[2].lower().startswith("test")
        )


@lru_cache(KEPT)
def parsed(source: str) -> ast.Module:
    """Parse a file; the same text gives the same tree, which nobody may change. Raises as `ast.parse`."""
    return ast.parse(source)


@lru_cache(KEPT)
def strictness(tree: ast.Module) -> Strictness:
    """Read what a parsed test file demands."""
    assertions = {"": _demands(tree)}
    for name, node in functions(tree):
        assertions[name] = _demands(node) if isinstance(node, Function) else 0
    nodes = list(ast.walk(tree))
    hollow = sum(_is_hollow(node) for node in nodes)
    skips = Counter(name for node in nodes if (name := _identifier(node)) in _SKIPS)
    return Strictness(assertions, hollow, skips)


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Yield every function and class with its dotted name, outer before inner."""
    for node in ast.iter_child_nodes(tree):
        inner = prefix
        if isinstance(node, Function | ast.ClassDef):
            yield prefix + node.name, node
            inner = f"{prefix}{node.name}."
        yield from functions(node, inner)


@lru_cache(KEPT)
def suppressions(source: str) -> Counter[str]:
    """Count the comments that silence a checker, by kind; in a file that does not parse, in its text."""
    if not any(shape.search(source) for shape in _SUPPRESSIONS.values()):
        return Counter()
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    except (tokenize.TokenError, SyntaxError):
        comments = source.splitlines()
    return Counter(kind for text in comments for kind, shape in _SUPPRESSIONS.items() if shape.search(text))


def _demands(node: ast.AST) -> int:
    """Count the assertions of a function, those of inner functions included."""
    return sum(_is_demand(inner) for inner in ast.walk(node))


def _is_demand(node: ast.AST) -> bool:
    match node:
        case ast.Assert():
            return True
        case ast.Raise(exc=ast.Name("AssertionError") | ast.Call(func=ast.Name("AssertionError"))):
            return True
        case ast.Call(func=func):
            name = _identifier(func)
            return name in _EXPECTATIONS or (name.lower().startswith("assert") and name != "AssertionError")
        case _:
            return False


def _is_hollow(node: ast.AST) -> bool:
    match node:
        case ast.Assert(test=test):
            return _always_true(test)
        case ast.ExceptHandler(type=caught, body=body):
            return _is_broad(caught) and not any(isinstance(n, ast.Raise) for s in body for n in ast.walk(s))
        case ast.Call(func=func, args=args):
            name = _identifier(func)
            if name in ("raises", "assertRaises", "suppress"):
                return any(_is_broad(arg) for arg in args[: None if name == "suppress" else 1])
            return name in ("assertTrue", "assert_") and bool(args) and _always_true(args[0])
        case _:
            return False


def _always_true(test: ast.expr) -> bool:
    """Whether a condition holds whatever happens: true constants, full tuples, `x or True`, `x == x`."""
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return bool(elements)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_always_true(value) for value in values)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_always_true(value) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Constant(value=value)):
            return not value
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is() | ast.GtE() | ast.LtE()], comparators=[right]):
            return ast.dump(left) == ast.dump(right)
        case _:
            return False


def _is_broad(caught: ast.expr | None) -> bool:
    """Whether catching this would also catch a failed assertion."""
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(one) for one in caught.elts)
    return caught is None or _identifier(caught) in _BROAD


def _identifier(node: ast.AST) -> str:
    """The last word of a name or attribute, else nothing."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
