"""The gate that keeps a change away from what runs the tests: no other runner, no early end, no old result.

Rules
1. No file comes or changes that Python or pytest would load in place of the runner or before it.
2. No plugin is declared, in whichever file, and no function comes that would be a hook of one.
3. No new trick of `tricks`.
4. Nothing that runs leave behind comes with a change; that it goes is welcome.
5. A Python file that cannot be parsed cannot be judged.
"""

import configparser
import tomllib
from collections.abc import Mapping

from schemas.improvement import GateResult
from services.gates.evaluator_files import is_left_by_a_run, is_runner, is_test_code
from services.gates.evidence import counted, verdict
from services.gates.strictness import parsed
from services.gates.tricks import hooks, tricks

RUNNER_UNTOUCHED = "runner_untouched"
VERSION = "2"
_PROGRAMS = ("__main__.py", "setup.py", "noxfile.py")  # never imported by tests; `evaluator_files` knows them
_STEERING = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "pytest11")


def runner_untouched(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> GateResult:
    """Compare the changed files before and after; None, or no entry, is a file that is not there."""
    changed = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
    offences = [
        f"{path}: {offence}"
        for path in changed
        for offence in _offences(path, before.get(path), after.get(path))
    ]
    return verdict(RUNNER_UNTOUCHED, VERSION, offences, f"not reached for in {counted(len(changed), 'file')}")


def _offences(path: str, before: str | None, after: str | None) -> list[str]:
    if is_left_by_a_run(path):
        return [] if after is None else ["a result of an earlier run came with the change"]
    if is_runner(path) and not _is_the_projects_own(path, before):
        return ["it would be loaded in place of the test runner, or before it"]
    if path.endswith((".py", ".pyi")):
        return _reaching(path, before, after)
    return _declared(path, before or "", after or "")


def _is_the_projects_own(path: str, before: str | None) -> bool:
    """Whether the target is itself a runner, as pytest is: then its modules are source like any other."""
    return before is not None and path.endswith((".py", ".pyi")) and "customize" not in path


def _reaching(path: str, before: str | None, after: str | None) -> list[str]:
    if after is None:
        return []
    test_code = is_test_code(path)
    try:
        was, now = parsed(before or ""), parsed(after)
    except (SyntaxError, ValueError):
        return ["it does not parse, so its change cannot be judged"]
    new = tricks(now, test_code=test_code) - tricks(was, test_code=test_code)
    if path.rpartition("/")[2] in _PROGRAMS:
        del new["an exit when it is imported"]
    offences = [f"new: {trick}" for trick in sorted(new)]
    return offences + [f"new hook {hook}" for hook in sorted(hooks(now) - hooks(was))]


def _declared(path: str, before: str, after: str) -> list[str]:
    """Plugins that a settings file declares, and words that steer a run from anywhere."""
    if path.endswith((".toml", ".cfg")):
        try:
            was, now = _plugins(path, before), _plugins(path, after)
        except (tomllib.TOMLDecodeError, configparser.Error):
            return ["it does not parse, so its change cannot be judged"]
        if was != now:
            return ["the pytest plugins that it declares were changed"]
    return [
        f"new: the word {word}, by which a run is steered"
        for word in _STEERING
        if after.count(word) > before.count(word)
    ]


def _plugins(path: str, text: str) -> object:
    if path.endswith(".cfg"):
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text)
        declared = parser.get("options.entry_points", "pytest11", fallback="")
        return sorted(line.strip() for line in declared.splitlines() if line.strip())
    read = tomllib.loads(text)
    project, poetry = read.get("project", {}), read.get("tool", {}).get("poetry", {})
    return [project.get("entry-points", {}).get("pytest11"), poetry.get("plugins", {}).get("pytest11")]
