"""What in a Python file reaches for the runner that judges it: it ends the run, patches it, or speaks for it.

Rules
1. A trick is named by what it does, so that a person knows what was refused; only new ones are an offence.
2. Imported names are followed: `from os import _exit as stop` is `os._exit`.
3. Leaving a program is honest inside a function and under `if __name__ == "__main__":`; when a file is
   imported it is not, and `os._exit`, which nothing can catch, never is.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

from services.gates.reach import walked
from services.gates.strictness import Function

_RUNNER = frozenset({"pytest", "_pytest", "unittest", "pluggy", "coverage", "aps_report"})
_ENDS_THE_RUN = frozenset({
    "os._exit", "os.abort", "posix._exit", "pytest.exit", "_pytest.outcomes.exit", "_pytest.outcomes.Exit",
    "faulthandler._sigsegv", "signal.raise_signal",
})  # fmt: skip
_KILLS = frozenset({"os.kill", "os.killpg", "signal.pidfd_send_signal"})
_ITSELF = frozenset({"os.getpid", "os.getppid", "os.getpgrp", "os.getpgid", "os.getsid"})
_LEAVES = frozenset({
    "sys.exit", "exit", "quit", "SystemExit", "KeyboardInterrupt", "builtins.exit", "builtins.quit",
})  # fmt: skip
_OF_TESTS_ONLY = frozenset({
    "atexit.register", "sys.settrace", "sys.setprofile", "threading.settrace",
    *(f"os.exec{how}" for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
})  # fmt: skip
_WHAT_IMPORTS = ("sys.meta_path", "sys.path_hooks", "builtins.AssertionError", "builtins.__import__")
_SETTERS = frozenset({"setattr", "delattr", "setitem", "delitem", "patch", "object"})
_RESULTS = frozenset({"wasxfail", "longrepr", "testsfailed", "shouldstop", "shouldfail", "exitstatus"})
_PLUGINS = frozenset({"register", "unregister", "set_blocked", "import_plugin", "consider_pluginarg"})
_WORDS = frozenset({
    "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "COVERAGE_PROCESS_START",
    "pytest11",
    "APS_REPORT", "APS_ONLY", "aps_report",
})  # fmt: skip


def tricks(tree: ast.Module, *, test_code: bool) -> Counter[str]:
    """Count the tricks of a parsed file, each as a person would call it."""
    names = _imported(tree)
    found = Counter(said for node in ast.walk(tree) for said in _tricks(node, names, test_code=test_code))
    for node in walked(tree, _run_at_import):
        if isinstance(node, ast.Call | ast.Raise) and _dotted(_what_of(node), names) in _LEAVES:
            found["an exit when it is imported"] += 1
    return found


def hooks(tree: ast.Module) -> frozenset[str]:
    """Return the functions that pytest would take for hooks, were the file a plugin."""
    defined = {node.name for node in tree.body if isinstance(node, Function)}
    return frozenset(name for name in defined if name.startswith("pytest_"))


def _tricks(node: ast.AST, names: Mapping[str, str], *, test_code: bool) -> Iterator[str]:
    match node:
        case ast.Attribute() | ast.Name():
            yield from _mentioned(_dotted(node, names), test_code=test_code)
        case ast.Constant(value=str() as word) if word in _WORDS:
            yield f"the word {word}, by which a run is steered"
        case ast.Import(names=aliases) if any(alias.name == "aps_report" for alias in aliases):
            yield "an import of the reporter"
        case ast.Assign(targets=targets):
            yield from _set(targets, names, test_code=test_code)
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            yield from _set([target], names, test_code=test_code)
        case ast.Delete(targets=targets):
            yield from _set(targets, names, test_code=test_code)
        case ast.Call():
            yield from _called(node, names, test_code=test_code)
            yield from _killed(_dotted(node.func, names), node.args[:1], names)
        case _:
            pass


def _mentioned(name: str, *, test_code: bool) -> Iterator[str]:
    if name in _ENDS_THE_RUN:
        yield f"{name}, which ends the run"
    elif name in _OF_TESTS_ONLY and test_code:
        yield f"{name} among tests"


def _set(targets: list[ast.expr], names: Mapping[str, str], *, test_code: bool) -> Iterator[str]:
    """What is put in the place of something of the runner."""
    for target in targets:
        place = target.value if isinstance(target, ast.Subscript) else target
        if isinstance(place, ast.Attribute):
            yield from _patched(_dotted(place, names))
        if isinstance(target, ast.Subscript) and _dotted(place, names) == "sys.modules":
            yield from _patched(_text(target.slice))
        if test_code and isinstance(target, ast.Attribute) and target.attr in _RESULTS:
            yield f"a result that is set: {target.attr}"


def _called(call: ast.Call, names: Mapping[str, str], *, test_code: bool) -> Iterator[str]:
    func, first = call.func, call.args[0] if call.args else None
    word = func.attr if isinstance(func, ast.Attribute) else _dotted(func, names)
    if word in _SETTERS and first is not None:
        yield from _patched(_dotted(first, names) or _text(first), *call.args[1:2])
    if word in ("exec", "eval") and isinstance(func, ast.Name) and not isinstance(first, ast.Constant):
        yield f"{word} of text that is made as it runs"
    if word == "getattr" and [_text(one) for one in call.args[1:2]] in (["_exit"], ["abort"]):
        yield "os._exit, which ends the run"
    if isinstance(func, ast.Attribute):
        owner = _dotted(func.value, names)
        if owner in _WHAT_IMPORTS:
            yield f"a change of {owner}"
        if word in _PLUGINS and owner.rpartition(".")[2] in ("pluginmanager", "pm"):
            yield f"pluginmanager.{word}"
        if word in ("force_result", "force_exception") and test_code:
            yield f"a result that is set: {word}"


def _killed(name: str, whom: list[ast.expr], names: Mapping[str, str]) -> Iterator[str]:
    """A signal to the process, its parent or its group; 0 and -1 mean them too."""
    process = whom[0] if whom and name in _KILLS else None
    itself = isinstance(process, ast.Call) and _dotted(process.func, names) in _ITSELF
    if itself or (process is not None and ast.unparse(process) in ("0", "-1")):
        yield f"{name} of the process itself, which ends the run"


def _patched(name: str, *member: ast.expr) -> Iterator[str]:
    """Whether what is set belongs to the runner; `name` may be the one who owns `member`."""
    whole = ".".join([name, *filter(None, map(_text, member))])
    if name.partition(".")[0] in _RUNNER:
        yield f"a patch of {whole}"
    elif name in _WHAT_IMPORTS or whole in _WHAT_IMPORTS:
        yield f"a change of {whole}"


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _dotted(node: ast.AST, names: Mapping[str, str]) -> str:
    """The full name of a name or attribute, as far as imports tell; else nothing."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=attr):
            owner = _dotted(value, names)
            return f"{owner}.{attr}" if owner else attr
        case ast.Call(
            func=ast.Name("__import__" | "import_module"), args=[ast.Constant(value=str() as name), *_]
        ):
            return name
        case _:
            return ""


def _what_of(node: ast.Call | ast.Raise) -> ast.AST:
    """What is called or raised."""
    return node.func if isinstance(node, ast.Call) else node.exc or node


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _run_at_import(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node that run when its file is imported."""
    # what a handler catches is no exit
    parts = node.body if isinstance(node, ast.ExceptHandler) else ast.iter_child_nodes(node)
    return [part for part in parts if not _runs_later(part)]


def _runs_later(node: ast.AST) -> bool:
    """Whether it is a function, or asks whether the file is the program."""
    return isinstance(node, Function | ast.Lambda) or (isinstance(node, ast.If) and _asks_for_main(node.test))


def _asks_for_main(test: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))
