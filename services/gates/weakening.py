"""The gate that keeps the judge honest: a change may not weaken the tests and settings that judge it.

Rules
1. Every test stays, with at least as many assertions that are reached, made whatever happens, and name an
   exact value, and with as many cases; none becomes one that cannot fail.
2. No new skip or expected failure, and no new comment that silences a checker, in any file.
3. Settings of the test run, of coverage and of checkers stay as they are; so do build server files, and
   the lines of scripts and Makefiles that run tests or checks.
4. A conftest keeps its functions, hooks and fixture declarations, and runs nothing new when it is imported.
5. A file that cannot be parsed cannot be judged: any change of it is refused.
"""

import ast
import configparser
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from schemas.improvement import GateResult
from services.gates.evaluator_files import (
    has_evaluator_sections,
    is_ci,
    is_evaluator,
    is_evaluator_settings,
    is_test_code,
    lines_that_run_checks,
)
from services.gates.evidence import counted, verdict
from services.gates.fixtures import changed_conftest, disabling
from services.gates.strictness import NOTHING, Demand, parsed, strictness
from services.gates.suppressions import suppressions

EVALUATOR_NOT_WEAKENED = "evaluator_not_weakened"
VERSION = "2"

_TOOLS = (
    "pytest", "coverage", "tox", "nox", "hatch", "mypy", "pyright", "basedpyright", "ruff", "pylint",
    "flake8", "poe", "bandit", "pyrefly", "ty", "pydocstyle", "vulture", "interrogate", "semgrep",
    "codespell",
    "deptry", "importlinter", "pytest-watch", "pdm", "rye", "taskipy", "hypothesis", "diff_cover", "mutmut",
)  # fmt: skip
_SECTIONS = (
    "tool:pytest", "pytest", "coverage", "testenv", "tox", "mypy", "flake8", "pylint", "aliases", "bandit",
    "pydocstyle", "importlinter", "nosetests", "mutmut", "codespell",
)  # fmt: skip


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
        lost = Counter(lines_that_run_checks(path, before or ""))
        lost -= Counter(lines_that_run_checks(path, after or ""))
        return [f"the line `{line[:80]}`, which runs checks, is gone or changed" for line in sorted(lost)]
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
    fixtures = changed_conftest(was, now) if conftest else [] if before is None else disabling(was, now)
    return _lost_demands(was, now) + skips + fixtures


def _lost_demands(was: ast.Module, now: ast.Module) -> list[str]:
    """Tests that are gone, assertions that are fewer or laxer, and assertions that cannot fail any more."""
    old, new = strictness(was), strictness(now)
    offences = [f"test {name} is gone" for name in sorted(old.tests - new.tests)]
    offences += [
        f"test {name} now stands under a condition"
        for name in sorted((new.conditional - old.conditional) & old.tests)
    ]
    for name, demand in old.demands.items():
        if name in new.demands or name not in old.tests:
            left = new.demands.get(name, NOTHING)
            offences += _lost_demand(name or "the file", demand, left, is_test=name in old.tests)
    if new.hollow > old.hollow:
        offences.append(f"{counted(new.hollow - old.hollow, 'assertion')} made unable to fail")
    return offences


def _lost_demand(name: str, was: Demand, now: Demand, *, is_test: bool) -> list[str]:
    """Say what one function, or the whole file, demands less."""
    if now.assertions < was.assertions:
        return [f"{name} had {counted(was.assertions, 'assertion')}, now {now.assertions}"]
    offences = []
    if is_test and now.cases < was.cases:
        offences.append(f"{name} was run with {counted(was.cases, 'case')}, now {now.cases}")
    if is_test and now.firm < was.firm:
        offences.append(
            f"{name} makes {counted(was.firm - now.firm, 'assertion')} only under a condition now"
        )
    if is_test and now.exact < was.exact:
        offences.append(f"{name} compared {counted(was.exact, 'time')} with an exact value, now {now.exact}")
    return offences


def _new_skips(was: ast.Module, now: ast.Module) -> list[str]:
    new = strictness(now).skips - strictness(was).skips
    return [f"new {name}" for name in sorted(new)]
