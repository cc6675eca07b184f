"""What a module imports from its own project without using it: handed on to others, or run for its effect.

Rules
1. An import is of the own project when it is relative, or begins with a folder that the module lies in.
2. It is handed on when nothing in the module reads the name; one that is read is the module's own affair.
"""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath


def handed_on_lost(path: str, before: str, after: str) -> list[str]:
    """Name the imports that `before` hands on and `after` no longer makes, each with what it binds.

    Raises SyntaxError or ValueError for a source that does not parse.
    """
    own = frozenset(PurePosixPath(path).parts[:-1])
    was, now = ast.parse(before), ast.parse(after)
    used = {node.id for node in ast.walk(was) if isinstance(node, ast.Name)}
    kept = {name for name, _ in _imports(now, own)}
    return sorted({name for name, bound in _imports(was, own) if bound not in used and name not in kept})


def _imports(tree: ast.Module, own: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Each import of the own project: what a person calls it, and the name it binds."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    if first in own:
                        yield _spoken(alias.name, alias.asname), alias.asname or first
            case ast.ImportFrom() if node.level or (node.module or "").partition(".")[0] in own:
                module = "." * node.level + (node.module or "")
                for alias in node.names:
                    yield _spoken(f"{module}.{alias.name}", alias.asname), alias.asname or alias.name
            case _:
                pass


def _spoken(name: str, alias: str | None) -> str:
    return f"{name} as {alias}" if alias else name
