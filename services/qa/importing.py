"""Tells what importing alone runs of a source, which shows nothing of a test that imports it: pure.

Rules
1. An import runs the statements of a module and of its classes, and the first line of each function there,
   whoever imports it and when. Only what stands within a function can be a test's own doing.
2. A function that a module calls while it is imported is found by importing alone: the test file, and the
   modules that its test imports only while it runs.
"""

import ast
from collections.abc import Iterable
from pathlib import PurePosixPath

from services.gates.strictness import parsed

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


_TRYING = (
    "    try:",
    "        __import__(name)",
    "    except BaseException:",
    "        pass",
)


def importing(source: str, paths: Iterable[str]) -> str:
    """Return a test file whose import imports what it did, and besides the modules at `paths`.

    Where a module's name begins is not known: each end of its path is tried.
    """
    names = [name for path in sorted(paths) for name in _names(path)]
    return "\n".join([source, "", f"for name in {names!r}:", *_TRYING, ""])


def _names(path: str) -> list[str]:
    pure = PurePosixPath(path)
    if pure.stem == "__main__":  # importing it is running it
        return []
    parts = pure.parent.parts if pure.stem == "__init__" else (*pure.parent.parts, pure.stem)
    return [".".join(parts[at:]) for at in range(len(parts))]


def within_functions(source: str) -> frozenset[int]:
    """Return the numbers of the lines within functions; none where the source cannot be read."""
    try:
        tree = parsed(source)
    except (SyntaxError, ValueError):
        return frozenset()
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            first = max(node.body[0].lineno, _header_end(node) + 1)
            inside.update(range(first, (node.end_lineno or first) + 1))
    return frozenset(inside)


def _header_end(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the last line of what is run where the function is made: decorators, defaults, annotations."""
    parts = [node.args, *filter(None, (node.returns,))]
    ends = [getattr(one, "end_lineno", None) or 0 for part in parts for one in ast.walk(part)]
    return max(node.lineno, *ends)
