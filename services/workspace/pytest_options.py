"""Decides how pytest is called for a target: which of its configured options are kept and which are not.

Rules:
1. The target's configuration is used as it stands, but for options that change what a run can show: early
   stops, selections by an earlier run, report files, colours, reruns, coverage and workers (they are ours).
2. An option of a plugin is kept only when the plugin is installed.
"""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from services.workspace.build_files import parse_ini, parse_toml, strings, table

CONFIGURATION_FILES = (
    "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg",
)  # fmt: skip

# A value may follow these as the next word.
_NEVER_WITH_VALUE = """
--cov -n --numprocesses --dist --maxprocesses --tx --maxfail --tb --color --code-highlight --junit --html
--basetemp --reruns --only-rerun --randomly --random-order --report-log --log-file --count
"""
_NEVER_ALONE = """
--no-cov --forked -x --exitfirst --pdb --trace --self-contained-html --lf --last-failed --ff --failed-first
--nf --new-first --sw --stepwise --cache-clear --mypy --flake8 --flakes --black --isort --pylint --ruff --pep8
--codespell --checkdocs --codspeed --memray --setup-only --setup-plan --collect-only --co --looponfail
"""
_NEVER = dict.fromkeys(_NEVER_WITH_VALUE.split(), True) | dict.fromkeys(_NEVER_ALONE.split(), False)
_OF_PLUGIN = {
    "--benchmark": "pytest-benchmark", "--timeout": "pytest-timeout", "--asyncio": "pytest-asyncio",
    "--hypothesis": "hypothesis", "--ds": "pytest-django", "--reuse-db": "pytest-django",
    "--create-db": "pytest-django", "--nomigrations": "pytest-django", "--no-migrations": "pytest-django",
    "--disable-socket": "pytest-socket", "--allow-hosts": "pytest-socket", "--aiohttp": "pytest-aiohttp",
    "--mpl": "pytest-mpl", "--doctest-plus": "pytest-doctestplus", "--doctest-rst": "pytest-doctestplus",
    "--remote-data": "pytest-remotedata", "--snapshot": "syrupy", "--inline-snapshot": "inline-snapshot",
    "--sugar": "pytest-sugar", "--instafail": "pytest-instafail", "--durations-path": "pytest-split",
    "--nbval": "nbval", "--run-parallel": "pytest-run-parallel", "--parallel-threads": "pytest-run-parallel",
    "--arraydiff": "pytest-arraydiff", "--vcr": "pytest-vcr", "--record-mode": "pytest-recording",
    "--block-network": "pytest-recording", "--cython": "pytest-cython", "--examples": "pytest-examples",
}  # fmt: skip


@dataclass(frozen=True)
class Configured:
    """A target's pytest configuration: the file it stands in (None: none), its options and test paths."""

    file: str | None
    addopts: tuple[str, ...]
    testpaths: tuple[str, ...]


def configured(texts: Mapping[str, str]) -> Configured:
    """Read the configuration pytest would use from the texts of `CONFIGURATION_FILES`, in pytest's order."""
    for name in (name for name in CONFIGURATION_FILES if name in texts):
        section = _section(name, texts[name])
        if section is not None:
            return Configured(name, _words(section.get("addopts")), _words(section.get("testpaths")))
    return Configured(None, (), ())


def kept_addopts(addopts: Sequence[str], installed: Collection[str]) -> tuple[str, ...]:
    """Return the options of a target that a run here keeps."""
    kept: list[str] = []
    waiting = list(addopts)
    while waiting:
        word = waiting.pop(0)
        if word == "-p" and waiting:
            kept += _plugin(waiting.pop(0))
        elif not _dropped(word, installed):
            kept.append(word)
        elif "=" not in word and waiting and not waiting[0].startswith("-") and _takes_value(word):
            waiting.pop(0)
    return tuple(kept)


def _plugin(name: str) -> list[str]:
    return ["-p", name] if name.startswith("no:") or name in ("pytester", "doctest", "unittest") else []


def _dropped(word: str, installed: Collection[str]) -> bool:
    if _matching(word, _NEVER) is not None:
        return True
    owner = _matching(word, _OF_PLUGIN)
    return owner is not None and _OF_PLUGIN[owner] not in installed


def _takes_value(word: str) -> bool:
    never = _matching(word, _NEVER)
    return never is None or _NEVER[never]


def _matching(word: str, table_of: Mapping[str, object]) -> str | None:
    """Return the longest table entry `word` is an instance of: `--cov` covers `--cov-report=xml`."""
    name = word.split("=", 1)[0]
    if not name.startswith("--"):
        return next((one for one in table_of if len(one) == 2 and name.startswith(one)), None)
    fitting = [one for one in table_of if name == one or (len(one) > 4 and name.startswith(f"{one}-"))]
    fitting += [one for one in ("--junit",) if one in table_of and name.startswith(one)]
    return max(fitting, key=len, default=None)


def _section(name: str, text: str) -> Mapping[str, object] | None:
    if name.endswith("pytest.toml"):
        return table(parse_toml(text), "pytest")
    if name == "pyproject.toml":
        pytest = table(parse_toml(text), "tool", "pytest")
        own = {key: value for key, value in pytest.items() if key != "ini_options"}
        return table(pytest, "ini_options") or own or ({} if "ini_options" in pytest else None)
    parsed = parse_ini(text)
    section = "tool:pytest" if name == "setup.cfg" else "pytest"
    if section in parsed:
        return dict(parsed[section])
    return {} if name.endswith("pytest.ini") else None


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, str):
        return strings(value)
    try:
        return tuple(shlex.split(value, comments=True))
    except ValueError:
        return tuple(value.split())
