"""The gate on what a program says of itself: no log line, no raised error, no check vanishes by the way.

Rules
1. In every function that is there before and after, each distinct log line, `raise` and `assert` is still
   there; also code that can no longer be reached does not count. A function that is gone took its own along.
2. What moved is kept: a loss is made good by the like of it that is new elsewhere in the same change.
3. The like of a log line is one at least as loud; of a `raise` any `raise`, by preference of that error; an
   `assert` may become a `raise`. How the message is written is nobody's affair.
4. Logging is not switched off, by whatever means.
5. What a plan declares to go may go. Tests are not held to this: another gate holds them to more.
"""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from schemas.improvement import GateResult
from services.gates.evaluator_files import is_test_code
from services.gates.evidence import counted, listed, verdict
from services.gates.reach import below, walked
from services.gates.strictness import Function, functions, identifier, parsed

LOGGING_KEPT = "logging_kept"
VERSION = "2"

_LOUDNESS = {
    "debug": 1, "info": 2, "log": 2, "warning": 3, "warn": 3, "error": 4, "exception": 4, "critical": 5,
    "fatal": 5,
}  # fmt: skip
_LOGGER = re.compile(r"(?:^|_)(?:log|logger|logging|audit)s?$|^get_?logger$", re.IGNORECASE)
_SAME_ERROR = {
    "IOError": "OSError", "EnvironmentError": "OSError", "WindowsError": "OSError", "error": "OSError",
    "timeout": "TimeoutError",
}  # fmt: skip
_CHECKS = frozenset({"assert", "raise AssertionError"})
Said = tuple[str, str]  # what kind, and the statement as it is written


def logging_kept(
    before: Mapping[str, str | None], after: Mapping[str, str | None], declared: Collection[str] = ()
) -> GateResult:
    """Compare the changed files before and after. `declared` names `path::function` where a loss is meant."""
    lost: list[tuple[str, str]] = []
    gained: Counter[str] = Counter()
    offences: list[str] = []
    paths = [path for path in sorted({*before, *after}) if path.endswith(".py") and not is_test_code(path)]
    for path in paths:
        was, now = _parsed(before.get(path)), _parsed(after.get(path))
        if was is None or now is None:
            continue  # other gates refuse what does not parse
        gone, new = _compared(was, now)
        lost += [(f"{path}::{scope}" if scope else path, kind) for scope, kind in gone]
        gained.update(new)
        offences += [f"{path}: new {means}" for means in sorted(_silencing(now) - _silencing(was))]
    meant: list[str] = []
    for place, kind in sorted(lost, key=lambda one: -_loudness(one[1])):
        if not _made_good(kind, gained):
            (meant if place in declared else offences).append(f"{place}: {kind} is gone")
    otherwise = f"kept in {counted(len(paths), 'file')}"
    if meant:
        otherwise += f"; gone as the plan declares: {listed(meant)}"
    return verdict(LOGGING_KEPT, VERSION, offences, otherwise)


def _parsed(text: str | None) -> ast.Module | None:
    try:
        return parsed(text or "")
    except (SyntaxError, ValueError):
        return None


def _compared(was: ast.Module, now: ast.Module) -> tuple[list[tuple[str, str]], list[str]]:
    """What functions that stayed lost, with their names; and all that any function gained."""
    old, new = dict(_scopes(was)), dict(_scopes(now))
    gone: list[tuple[str, str]] = []
    gained: list[str] = []
    for scope in {*old, *new}:
        had, has = old.get(scope, Counter()), new.get(scope, Counter())
        gained += (has - had).elements()
        if scope in new:
            gone += [(scope, kind) for kind in (had - has).elements()]
    return gone, gained


def _scopes(tree: ast.Module) -> Iterator[tuple[str, Counter[str]]]:
    """Each function with what it says itself, distinct statements only: two branches may become one."""
    yield "", _said(tree)
    for name, node in functions(tree):
        if isinstance(node, Function):
            yield name, _said(node)


def _said(scope: ast.AST) -> Counter[str]:
    own = walked(scope, lambda node: [part for part in below(node) if not isinstance(part, Function)])
    distinct: set[Said] = {(kind, ast.dump(node)) for node in own if (kind := _kind(node))}
    return Counter(kind for kind, _ in distinct)


def _kind(node: ast.AST) -> str:
    """How a person calls what a statement says; nothing for one that says nothing."""
    match node:
        case ast.Assert():
            return "assert"
        case ast.Raise(exc=None):
            return "raise"
        case ast.Raise(exc=ast.Call(func=error)):
            return f"raise {_error(error)}"
        case ast.Raise(exc=ast.expr() as error):
            return f"raise {_error(error)}"
        case ast.Call(func=ast.Attribute(value=ast.Name("warnings"), attr="warn")):
            return "log warning"
        case ast.Call(func=ast.Attribute(value=owner, attr=level)) if level in _LOUDNESS:
            name = identifier(owner.func if isinstance(owner, ast.Call) else owner)
            return f"log {level}" if _LOGGER.search(name) else ""
        case _:
            return ""


def _error(node: ast.AST) -> str:
    name = identifier(node)
    return _SAME_ERROR.get(name, name)


def _made_good(lost: str, gained: Counter[str]) -> bool:
    """Take what makes a loss good out of what was gained, if there is such."""
    likes = [kind for kind, number in gained.items() if number > 0 and _is_like(lost, kind)]
    if not likes:
        return False
    gained[min(likes, key=lambda kind: (kind != lost, _loudness(kind), kind))] -= 1
    return True


def _is_like(lost: str, kind: str) -> bool:
    if lost.startswith("log "):
        return kind.startswith("log ") and _loudness(kind) >= _loudness(lost)
    return kind.startswith("raise") or (lost in _CHECKS and kind == "assert")


def _loudness(kind: str) -> int:
    return _LOUDNESS.get(kind.removeprefix("log "), 9)


def _silencing(tree: ast.Module) -> set[str]:
    """By which means a file switches logging off."""
    return {said for node in ast.walk(tree) if (said := _means(node))}


def _means(node: ast.AST) -> str:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name("logging"), attr="disable")):
            return "logging.disable"
        case ast.Assign(
            targets=[ast.Attribute(attr="disabled", value=owner)], value=ast.Constant(value=True)
        ):
            return "disabled logger" if _LOGGER.search(identifier(owner)) else ""
        case ast.Call(func=ast.Attribute(attr="setLevel"), args=[level]) if _is_above_all(level):
            return "level at which nothing is logged"
        case _:
            return ""


def _is_above_all(level: ast.expr) -> bool:
    match level:
        case ast.Constant(value=int() as number):
            return number >= 50
        case ast.BinOp():
            return True
        case _:
            return identifier(level) in ("CRITICAL", "FATAL")
