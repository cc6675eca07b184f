"""What a test file demands, read from its source: its tests, what they assert, and what weakens them."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from services.gates.reach import always_true, below, reached, walked

_SKIPS = frozenset({
    "skip", "skipif", "xfail", "skipIf", "skipUnless", "skipTest", "SkipTest", "importorskip",
    "expectedFailure", "collect_ignore", "collect_ignore_glob", "__test__", "flaky", "max_examples",
    "load_tests",
})  # fmt: skip
_EXPECTATIONS = frozenset({"raises", "warns", "deprecated_call", "fail"})
_BROAD = frozenset({"Exception", "BaseException", "AssertionError"})
_LOOSE = frozenset({
    "assert_", "assertTrue", "assertFalse", "assertIn", "assertNotIn", "assertIsInstance", "assertRegex",
    "assertNotIsInstance",
    "assertNotEqual", "assertIsNot", "assertIsNotNone", "assertGreater", "assertGreaterEqual", "assertLess",
    "assertLessEqual", "assertAlmostEqual", "assertNotAlmostEqual", "assertRaises", "assertWarns",
    "assertLogs",
    "assert_called", "assert_called_once", "assert_allclose", "assert_almost_equal",
})  # fmt: skip
_ROUGH = frozenset({"approx", "isclose", "allclose", "ANY"})
_CONDITIONS = (
    ast.If,
    ast.IfExp,
    ast.ExceptHandler,
    ast.Match,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
KEPT = 64  # in a stack, what one change leaves of a file is what the next one finds


@dataclass(frozen=True)
class Demand:
    """What one function demands: its assertions, those made whatever happens, and those of an exact value.

    `cases` is how often its decorators have it run. Of code that cannot be reached nothing counts.
    """

    assertions: int
    firm: int
    exact: int
    cases: int


NOTHING = Demand(0, 0, 0, 0)


@dataclass(frozen=True)
class Strictness:
    """What one test file demands.

    `demands` are by the dotted name of each function and class, of the last one where a name is defined
    again, as only that is collected; those of the whole file stand under "". `conditional` names functions
    that are defined only under a condition. `hollow` counts assertions that cannot fail, expectations of any
    error at all and handlers that swallow a failed assertion; `skips` mentions of skipping.
    """

    demands: dict[str, Demand]
    conditional: frozenset[str]
    hollow: int
    skips: Counter[str]

    @property
    def tests(self) -> frozenset[str]:
        """The names a test runner may collect: functions and classes named `test…` in any case."""
        return frozenset(name for name in self.demands if name.rpartition(".")[2].lower().startswith("test"))


@lru_cache(KEPT)
def parsed(source: str) -> ast.Module:
    """Parse a file; the same text gives the same tree, which nobody may change. Raises as `ast.parse`."""
    return ast.parse(source)


@lru_cache(KEPT)
def strictness(tree: ast.Module) -> Strictness:
    """Read what a parsed test file demands."""
    demands = {"": _demand(tree)}
    for name, node in functions(tree):
        demands[name] = _demand(node) if isinstance(node, Function) else replace(NOTHING, cases=_cases(node))
    nodes = list(ast.walk(tree))
    hollow = sum(_is_hollow(node) for node in nodes)
    skips = Counter(name for node in nodes if (name := _mention(node)) in _SKIPS)
    return Strictness(demands, frozenset(_conditional(tree)), hollow, skips)


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Yield every function and class with its dotted name, outer before inner."""
    for node in ast.iter_child_nodes(tree):
        inner = prefix
        if isinstance(node, Function | ast.ClassDef):
            yield prefix + node.name, node
            inner = f"{prefix}{node.name}."
        yield from functions(node, inner)


def _conditional(tree: ast.AST, prefix: str = "", *, within: bool = False) -> Iterator[str]:
    """Name the functions and classes that are defined under a condition."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function | ast.ClassDef):
            if within:
                yield prefix + node.name
            yield from _conditional(node, f"{prefix}{node.name}.", within=within)
        else:
            under = within or isinstance(node, ast.If | ast.Try | ast.For | ast.While | ast.Match)
            yield from _conditional(node, prefix, within=under)


def _demand(node: ast.Module | Function) -> Demand:
    """Count the assertions of a function, those of inner functions included."""
    found = [one for one in reached(node) if _is_demand(one)]
    return Demand(
        assertions=len(found),
        firm=sum(_is_demand(one) for one in _always_run(node)),
        exact=sum(map(_is_exact, found)),
        cases=_cases(node),
    )


def _always_run(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs whenever the function runs, as far as it is under no condition."""
    return walked(node, lambda current: [one for one in below(current) if not isinstance(one, _CONDITIONS)])


def _cases(node: ast.AST) -> int:
    """How often the literal lists of `parametrize` have a test run."""
    cases = 1
    for decorator in getattr(node, "decorator_list", []):
        match decorator:
            case ast.Call(func=func, args=[_, ast.List(elts=cells) | ast.Tuple(elts=cells), *_]):
                cases *= len(cells) if identifier(func) == "parametrize" else 1
            case _:
                pass
    return cases


def _is_exact(node: ast.AST) -> bool:
    """Whether an assertion names the very value, text or object that it wants."""
    match node:
        case ast.Assert(test=test):
            return _compares_exactly(test)
        case ast.Call(func=func, args=args, keywords=keywords):
            name = identifier(func)
            if name in ("assertTrue", "assert_") and args:
                return _compares_exactly(args[0])
            if name in _EXPECTATIONS:
                return any(one.arg == "match" for one in keywords)
            return name not in _LOOSE and not _is_rough(node) and not any(map(_is_truth, args))
        case _:
            return False


def _compares_exactly(test: ast.expr) -> bool:
    match test:
        case ast.Compare(ops=[ast.Eq() | ast.Is()], left=left, comparators=[right]):
            return not (_is_truth(left) or _is_truth(right) or _is_rough(test))
        case ast.BoolOp(op=ast.And(), values=values):
            return any(map(_compares_exactly, values))
        case _:
            return False


def _is_truth(node: ast.expr) -> bool:
    """Whether it is True or False: what is compared to these may as well be asserted by itself."""
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _is_rough(node: ast.AST) -> bool:
    return any(identifier(one) in _ROUGH for one in ast.walk(node))


def _is_demand(node: ast.AST) -> bool:
    match node:
        case ast.Assert():
            return True
        case ast.Raise(exc=ast.Name("AssertionError") | ast.Call(func=ast.Name("AssertionError"))):
            return True
        case ast.Call(func=func):
            name = identifier(func)
            return name in _EXPECTATIONS or (name.lower().startswith("assert") and name != "AssertionError")
        case _:
            return False


def _is_hollow(node: ast.AST) -> bool:
    match node:
        case ast.Assert(test=test):
            return always_true(test)
        case ast.ExceptHandler(type=caught, body=body):
            return _is_broad(caught) and not any(isinstance(n, ast.Raise) for s in body for n in ast.walk(s))
        case ast.Call(func=func, args=args):
            name = identifier(func)
            if name in ("raises", "assertRaises", "suppress"):
                return any(_is_broad(arg) for arg in args[: None if name == "suppress" else 1])
            return name in ("assertTrue", "assert_") and bool(args) and always_true(args[0])
        case _:
            return False


def _is_broad(caught: ast.expr | None) -> bool:
    """Whether catching this would also catch a failed assertion."""
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(one) for one in caught.elts)
    return caught is None or identifier(caught) in _BROAD


def _mention(node: ast.AST) -> str:
    """The name that a node mentions; of keywords and functions only those that have a meaning to a runner."""
    match node:
        case ast.keyword(arg="max_examples" as name) | ast.FunctionDef(name="load_tests" as name):
            return name
        case ast.alias(name=name):
            return name
        case _:
            return identifier(node)


def identifier(node: ast.AST) -> str:
    """Return the last word of a name or attribute, else nothing."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
