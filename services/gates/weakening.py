"""The gate that keeps the judge honest: a change may not weaken the tests and settings that judge it.

Rules
1. Every test stays, with at least as many assertions; none becomes one that cannot fail.
2. No new skip or expected failure, and no new comment that silences a checker, in any file.
3. Settings of the test run, of coverage and of checkers stay as they are; so do build server files.
4. A conftest keeps its functions, hooks and fixture declarations.
5. A file that cannot be parsed cannot be judged: any change of it is refused.
"""

import ast
import configparser
import tomllib
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from schemas.improvement import GateResult
from services.gates.evaluator_files import (
    has_evaluator_sections,
    is_ci,
    is_evaluator,
    is_evaluator_settings,
    is_test_code,
)
from services.gates.evidence import counted, verdict
from services.gates.strictness import Function, functions, parsed, strictness, suppressions

EVALUATOR_NOT_WEAKENED = "evaluator_not_weakened"
VERSION = "1"

_TOOLS = ("pytest", "coverage", "tox", "nox", "hatch", "mypy", "pyright", "ruff", "pylint", "flake8", "poe")
_SECTIONS = ("tool:pytest", "pytest", "coverage", "testenv", "tox", "mypy", "flake8", "pylint", "aliases")
_CONFTEST_NAMES = frozenset({"pytest_plugins", "pytestmark", "collect_ignore", "collect_ignore_glob"})


def evaluator_not_weakened(
    before_files: Mapping[str, str | None], after_files: Mapping[str, str | None]
) -> GateResult:
    """Compare the changed files before and after; None, or no entry, is a file that is not there."""
    changed = [
        path
        for path in sorted({*before_files, *after_files})
        if before_files.get(path) != after_files.get(path)
    ]
    offences = [
        f"{path}: {offence}"
        for path in changed
        for offence in _offences(path, before_files.get(path), after_files.get(path))
    ]
    judges = sum(is_evaluator(path) for path in changed)
    otherwise = f"{counted(judges, 'test or settings file')} changed, none weakened"
    return verdict(EVALUATOR_NOT_WEAKENED, VERSION, offences, otherwise)


def _offences(path: str, before: str | None, after: str | None) -> list[str]:
    """Say in which ways one changed file is weaker."""
    if is_ci(path):
        return ["a build server file was changed"]
    if is_evaluator_settings(path):
        return ["settings of tests or checks were changed"]
    if has_evaluator_sections(path):
        return _changed_sections(path, before or "", after or "")
    if not path.endswith((".py", ".pyi")):
        return []
    silenced = _silenced(before or "", after or "")
    return silenced + (_weaker_tests(path, before, after) if is_test_code(path) else [])


def _silenced(before: str, after: str) -> list[str]:
    new = suppressions(after) - suppressions(before)
    return [f"{counted(number, f'new `{kind}` comment')}" for kind, number in sorted(new.items())]


def _changed_sections(path: str, before: str, after: str) -> list[str]:
    """Compare only the sections that configure tests and checks."""
    read = _toml_sections if path.endswith(".toml") else _ini_sections
    try:
        was, now = read(before), read(after)
    except (tomllib.TOMLDecodeError, configparser.Error):
        return ["it does not parse, so its change cannot be judged"]
    names = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
    return [f"section [{name}] was changed" for name in names]


def _toml_sections(text: str) -> dict[str, object]:
    tools = tomllib.loads(text).get("tool", {})
    return {f"tool.{name}": tools[name] for name in tools if name.startswith(_TOOLS)}


def _ini_sections(text: str) -> dict[str, object]:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections() if name.startswith(_SECTIONS)}


def _weaker_tests(path: str, before: str | None, after: str | None) -> list[str]:
    """Compare a Python file of tests with what it was."""
    if after is None:
        return ["the test file is gone"]
    try:
        was, now = parsed(before or ""), parsed(after)
    except (SyntaxError, ValueError):
        return ["it does not parse, so its change cannot be judged"]
    conftest = PurePosixPath(path).name == "conftest.py"
    skips = [] if before is None and not conftest else _new_skips(was, now)
    return _lost_demands(was, now) + skips + (_changed_conftest(was, now) if conftest else [])


def _lost_demands(was: ast.Module, now: ast.Module) -> list[str]:
    """Tests that are gone, assertions that are fewer, and assertions that cannot fail any more."""
    old, new = strictness(was), strictness(now)
    offences = [f"test {name} is gone" for name in sorted(old.tests - new.tests)]
    for name, number in old.assertions.items():
        left = new.assertions.get(name, number if name in old.tests else 0)
        if left < number:
            offences.append(f"{name or 'the file'} had {counted(number, 'assertion')}, now {left}")
    if new.hollow > old.hollow:
        offences.append(f"{counted(new.hollow - old.hollow, 'assertion')} made unable to fail")
    return offences


def _new_skips(was: ast.Module, now: ast.Module) -> list[str]:
    new = strictness(now).skips - strictness(was).skips
    return [f"new {name}" for name in sorted(new)]


def _changed_conftest(was: ast.Module, now: ast.Module) -> list[str]:
    """Functions, hooks and fixtures of a conftest that are not what they were."""
    checks: tuple[tuple[Callable[[ast.Module], dict[str, str]], str], ...] = (
        (_names, "function {} came or went"),
        (_hooks, "hook {} was changed"),
        (_fixtures, "the declaration of fixture {} was changed"),
        (_settings, "{} was changed"),
    )
    offences = []
    for read, wording in checks:
        old, new = read(was), read(now)
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        offences += [wording.format(name) for name in changed]
    return offences


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
        if isinstance(target, ast.Name) and target.id in _CONFTEST_NAMES
    }
