"""Decides how pytest is called for a target: which of its configured options are kept and which are not.

Rules:
1. The target's configuration is used as it stands, but for options that change what a run can show: early
   stops, selections by an earlier run, report files, colours, reruns, coverage and workers (they are ours).
2. An option of a plugin is kept only when the plugin is installed.
3. A plugin the target loads (`-p`) is kept, as its tests may need it, unless it is one of those of rule 1.
"""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

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
_OURS = frozenset(
    ("xdist", "cov", "randomly", "random_order", "rerunfailures", "forked", "flakefinder", "repeat", "sugar")
)
_WITH_VALUE = frozenset("kmcopnrW")
_STOP = "x"


@dataclass(frozen=True)
class Kept:
    """The options of a target that a run here keeps, and the plugins it would load that are left out."""

    words: tuple[str, ...]
    left_out: tuple[str, ...]


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


def kept_addopts(addopts: Sequence[str], installed: Collection[str]) -> Kept:
    """Decide about each option of a target."""
    kept: list[str] = []
    left_out: list[str] = []
    waiting = list(addopts)
    while waiting:
        word = waiting.pop(0)
        flags, option, value = _apart(word)
        if flags:
            kept.append(f"-{flags}")
        if option == "-p" and (value or waiting):
            name = value or waiting.pop(0)
            (left_out if _ours(name) else kept).extend([name] if _ours(name) else ["-p", name])
        elif option and not _dropped(option, installed):
            kept.append(option + value)
        elif option and not value and waiting and not waiting[0].startswith("-") and _takes_value(option):
            waiting.pop(0)
    return Kept(tuple(kept), tuple(left_out))


def without_plugins(words: Sequence[str]) -> tuple[str, ...]:
    """Return kept options without the plugins they load; what they switch off stays off."""
    loads = {
        place
        for place, (word, after) in enumerate(pairwise(words))
        if word == "-p" and not after.startswith("no:")
    }
    return tuple(word for place, word in enumerate(words) if not {place, place - 1} & loads)


def _apart(word: str) -> tuple[str, str, str]:
    """Split a word into leading flags that are kept, one option, and the value written to it.

    Single letters may stand together: `-vx` is `-v -x`, `-qn4` is `-q -n 4`, and `-rx` is `-r` with a value.
    """
    if not word.startswith("-") or word.startswith("--"):
        option, sign, value = word.partition("=")
        return "", option, sign + value
    flags = ""
    for place, letter in enumerate(word[1:], start=1):
        if letter in _WITH_VALUE:
            return flags, f"-{letter}", word[place + 1 :]
        flags += "" if letter == _STOP else letter
    return flags, "", ""


def _ours(plugin: str) -> bool:
    """Say whether a plugin would change how or how often tests run: workers, coverage, order, repeats."""
    return not plugin.startswith("no:") and plugin.removeprefix("pytest_").partition(".")[0] in _OURS


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
        return name if name in table_of else None
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
