"""What acts on every test beside it: a conftest with its hooks and fixtures, marks and fixtures of a file."""

import ast
from collections.abc import Callable

from services.gates.evidence import counted
from services.gates.strictness import Function, functions, strictness

_NAMES_OF_PYTEST = ("pytest_", "pytestmark", "collect_ignore")


def disabling(was: ast.Module, now: ast.Module) -> list[str]:
    """What in a file of tests acts on all of them, or takes the place of one."""
    offences = []
    if _autouse(now) > _autouse(was):
        offences.append("a new fixture acts on every test")
    if (after := _marks(now)) and after != _marks(was):
        offences.append("the marks of the whole file were changed")
    tests = strictness(was).tests
    offences += [f"test {name} is replaced" for name in sorted((_bound(now) - _bound(was)) & tests)]
    return offences


def _autouse(tree: ast.Module) -> int:
    return sum(isinstance(node, ast.keyword) and node.arg == "autouse" for node in ast.walk(tree))


def _marks(tree: ast.Module) -> str:
    return _settings(tree).get("pytestmark", "")


def _bound(tree: ast.Module) -> frozenset[str]:
    """The names that a module assigns or deletes at its top."""
    return frozenset(
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.Delete)
        for target in node.targets
        if isinstance(target, ast.Name)
    )


def changed_conftest(was: ast.Module, now: ast.Module) -> list[str]:
    """Functions, hooks and fixtures of a conftest that are not what they were."""
    checks: tuple[tuple[Callable[[ast.Module], dict[str, str]], str], ...] = (
        (_names, "function {} came or went"),
        (_hooks, "hook {} was changed"),
        (_fixtures, "the declaration of fixture {} was changed"),
        (_settings, "{} was changed"),
        (_hooks_imported, "the import of {} was changed"),
    )
    offences = []
    for read, wording in checks:
        old, new = read(was), read(now)
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        offences += [wording.format(name) for name in changed]
    if (more := _calls_at_import(now) - _calls_at_import(was)) > 0:
        offences.append(f"{counted(more, 'new call')} when it is imported")
    return offences


def _calls_at_import(tree: ast.Module) -> int:
    """How many statements at the top, or in its conditions, are calls for their effect."""
    outside = (
        node for top in tree.body if not isinstance(top, Function | ast.ClassDef) for node in ast.walk(top)
    )
    return sum(isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) for node in outside)


def _hooks_imported(tree: ast.Module) -> dict[str, str]:
    """What an import brings into a conftest that pytest would take for a hook: so does a star."""
    return {
        alias.name: f"{node.level}{node.module}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == "*" or (alias.asname or alias.name).startswith("pytest_")
    }


def _names(tree: ast.Module) -> dict[str, str]:
    return {name: "" for name, _ in functions(tree)}


def _hooks(tree: ast.Module) -> dict[str, str]:
    return {name: ast.dump(node) for name, node in functions(tree) if name.startswith("pytest_")}


def _fixtures(tree: ast.Module) -> dict[str, str]:
    """The decorators and arguments of each fixture; what it does inside may be rewritten."""
    return {
        name: " ".join([*map(ast.dump, node.decorator_list), ast.dump(node.args)])
        for name, node in functions(tree)
        if isinstance(node, Function) and any("fixture" in ast.dump(d) for d in node.decorator_list)
    }


def _settings(tree: ast.Module) -> dict[str, str]:
    return {
        target.id: ast.dump(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.startswith(_NAMES_OF_PYTEST)
    }
