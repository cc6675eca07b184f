"""Decides what a target's environment needs beside the target itself, from the files that declare it.

Rules:
1. pytest and coverage always.
2. Everything the tree declares for tests: extras, dependency groups, requirement files, tox, hatch, poetry
   and pdm sections, `tests_require`. Development sets count only where no set for tests exists.
3. Tools that only people at a desk need (linters, type checkers, documentation, release tools) never.
4. A few libraries that tests of undeclared projects import are recognised by their import.
"""

import ast
import fnmatch
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from services.workspace.build_files import parse_ini, parse_toml, strings, table
from services.workspace.layout import project_name

ALWAYS = ("pytest", "coverage")
REQUIREMENT_FILES = (
    "*requirements*.txt", "*requirements*.in", "requirements/*.txt", "requirements/*.in", "*reqs*.txt",
)  # fmt: skip
DECLARING_FILES = ("pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "PKG-INFO", *REQUIREMENT_FILES)

_TESTING = re.compile(r"(^|[-_.])(test|tests|testing|unittest|unittests|pytest)($|[-_.])")
_DEVELOPING = re.compile(r"(^|[-_.])(dev|develop|development)($|[-_.])")
_AT_A_DESK = """
black mypy ruff flake8 isort pylint pre-commit tox tox-uv nox twine build wheel sphinx
sphinx-rtd-theme furo docutils doc8 mkdocs mkdocs-material pydocstyle pyright pyupgrade bandit
bump2version bumpversion check-manifest codespell commitizen pip-tools towncrier codecov coveralls
ipython ipdb jupyter notebook uv hatch poetry pdm autopep8 interrogate validate-pyproject
pytest-black pytest-flake8 pytest-mypy pytest-mypy-plugins pytest-ruff pytest-checkdocs
pytest-enabler pytest-perf pytest-codspeed
"""
_DESK_TOOLS = frozenset(_AT_A_DESK.split())
_RECOGNISED = {
    "hypothesis": "hypothesis",
    "mock": "mock",
    "parameterized": "parameterized",
    "freezegun": "freezegun",
    "pytest_asyncio": "pytest-asyncio",
    "pytest_mock": "pytest-mock",
    "pytz": "pytz",
    "six": "six",
    "yaml": "pyyaml",
    "numpy": "numpy",
    "dateutil": "python-dateutil",
    "attr": "attrs",
    "tomli_w": "tomli-w",
    "pretend": "pretend",
    "ddt": "ddt",
}


@dataclass(frozen=True)
class Declared:
    """Requirement strings as the tree states them: `runtime` to run it, `testing` to test it."""

    runtime: tuple[str, ...]
    testing: tuple[str, ...]


def declares(path: str) -> bool:
    """Say whether `declared` wants to read the file at `path`."""
    return path.count("/") <= 1 and any(fnmatch.fnmatch(path, pattern) for pattern in DECLARING_FILES)


def declared(texts: Mapping[str, str]) -> Declared:
    """Return what the files of `texts` (path to content) declare; broken files declare nothing."""
    data = parse_toml(texts.get("pyproject.toml", ""))
    cfg = parse_ini(texts.get("setup.cfg", ""))
    script = _setup_literals(texts.get("setup.py", ""))
    project = table(data, "project")
    runtime = [
        *strings(project.get("dependencies")),
        *_lines(cfg.get("options", "install_requires", fallback="")),
        *script.get("install_requires", ()),
    ]
    sets: dict[str, list[str]] = {}
    for name, requirements in (
        *_pyproject_sets(data),
        *((name, _lines(text)) for name, text in _section(cfg, "options.extras_require")),
        ("tests", _lines(cfg.get("options", "tests_require", fallback=""))),
        *script.items(),
        *((path.replace("/", "-"), _file(path, texts)) for path in texts if _is_requirement_file(path)),
        ("tests", _tox(texts)),
    ):
        sets.setdefault(name, []).extend(requirements)
    own = project_name(texts)
    return Declared(_kept(runtime, own), _kept(_expanded(_chosen(sets), sets, own), own))


def metadata_declares(metadata: str) -> Declared:
    """Return what a built distribution's METADATA declares, its test extras included."""
    headers = HeaderParser().parsestr(metadata)
    extras = [str(name) for name in headers.get_all("Provides-Extra", [])]
    chosen = [name for name in extras if _TESTING.search(name.lower())]
    chosen = chosen or [name for name in extras if _DEVELOPING.search(name.lower())]
    requirements = [one for text in headers.get_all("Requires-Dist", []) if (one := _parsed(str(text)))]
    testing = [one for one in requirements if one.marker and _only_with(one, chosen)]
    own = str(headers.get("Name", ""))
    return Declared((), _kept((_bare(one) for one in testing), own))


def recognised(sources: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return distributions that test sources import and that `known` requirements do not name."""
    named = {canonicalize_name(one.name) for text in known if (one := _parsed(text))}
    imported = {match for text in sources for match in re.findall(r"(?m)^\s*(?:import|from)\s+(\w+)", text)}
    fitting = {_RECOGNISED[name] for name in imported & set(_RECOGNISED)}
    return tuple(sorted(one for one in fitting if canonicalize_name(one) not in named))


def _only_with(requirement: Requirement, extras: Sequence[str]) -> bool:
    marker = requirement.marker
    if marker is None or marker.evaluate({"extra": ""}):
        return False
    return any(marker.evaluate({"extra": extra}) for extra in extras)


def _bare(requirement: Requirement) -> str:
    requirement.marker = None
    return str(requirement)


def _parsed(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _chosen(sets: Mapping[str, Sequence[str]]) -> list[str]:
    for pattern in (_TESTING, _DEVELOPING):
        fitting = [one for name in sets if pattern.search(name.lower()) for one in sets[name]]
        if fitting:
            return fitting
    return []


def _expanded(texts: Iterable[str], sets: Mapping[str, Sequence[str]], own: str | None) -> list[str]:
    """Replace `own[extra]` by what the extra holds, as deep as it goes."""
    done: list[str] = []
    waiting, seen = list(texts), set[str]()
    while waiting:
        text = waiting.pop(0)
        found = _parsed(text)
        if found and own and canonicalize_name(found.name) == canonicalize_name(own):
            extras = found.extras - seen
            seen |= extras
            waiting += [one for extra in sorted(extras) for one in sets.get(extra, ())]
        else:
            done.append(text)
    return done


def _kept(texts: Iterable[str], own: str | None) -> tuple[str, ...]:
    kept: dict[str, None] = {}
    for text in texts:
        found = _parsed(text.strip())
        if found is None or found.url or (found.marker and not found.marker.evaluate({"extra": ""})):
            continue
        name = canonicalize_name(found.name)
        if (
            name not in _DESK_TOOLS
            and not name.startswith("types-")
            and name != canonicalize_name(own or "-")
        ):
            found.marker = None
            kept[str(found)] = None
    return tuple(kept)


def _pyproject_sets(data: Mapping[str, object]) -> list[tuple[str, Sequence[str]]]:
    groups = table(data, "dependency-groups")
    found: list[tuple[str, Sequence[str]]] = [(name, _group(name, groups, ())) for name in groups]
    found += [
        (name, strings(value)) for name, value in table(data, "project", "optional-dependencies").items()
    ]
    found += [
        (name, strings(value)) for name, value in table(data, "tool", "pdm", "dev-dependencies").items()
    ]
    for name in table(data, "tool", "hatch", "envs"):
        env = table(data, "tool", "hatch", "envs", name)
        wanted = (*strings(env.get("dependencies")), *strings(env.get("extra-dependencies")))
        found.append(("dev" if name == "default" else name, wanted))
    poetry = table(data, "tool", "poetry")
    found.append(("dev", tuple(table(poetry, "dev-dependencies"))))
    found += [(name, tuple(table(poetry, "group", name, "dependencies"))) for name in table(poetry, "group")]
    return found


def _group(name: str, groups: Mapping[str, object], above: tuple[str, ...]) -> tuple[str, ...]:
    entries = groups.get(name)
    if name in above or not isinstance(entries, list):
        return ()
    inner = [str(entry.get("include-group")) for entry in entries if isinstance(entry, dict)]
    included = [one for other in inner for one in _group(other, groups, (*above, name))]
    return (*strings(entries), *included)


def _setup_literals(script: str) -> dict[str, tuple[str, ...]]:
    """Return the requirement lists a setup.py writes literally in its call of `setup`."""
    try:
        module = ast.parse(script)
    except (SyntaxError, ValueError):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for keyword in (
        word for node in ast.walk(module) if isinstance(node, ast.Call) for word in node.keywords
    ):
        value = _literal(keyword.value)
        if keyword.arg in ("install_requires", "tests_require"):
            found[keyword.arg] = strings(value)
        elif keyword.arg == "extras_require" and isinstance(value, dict):
            found |= {str(name): strings(requirements) for name, requirements in value.items()}
    return found


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _section(cfg: Mapping[str, Mapping[str, str]], name: str) -> list[tuple[str, str]]:
    return list(cfg[name].items()) if name in cfg else []


def _lines(text: str) -> tuple[str, ...]:
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def _is_requirement_file(path: str) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in REQUIREMENT_FILES)


def _file(path: str, texts: Mapping[str, str], above: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the requirements of a file and of those it includes with -r; other options are passed over."""
    found: list[str] = []
    for line in _lines(texts.get(path, "")) if path not in above else ():
        include = re.match(r"(?:-r|--requirement)[\s=]*(\S+)", line)
        if include:
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), include[1]))
            found += _file(inner, texts, (*above, path))
        elif not line.startswith("-"):
            found.append(line.split(" --hash", 1)[0].rstrip(" \\"))
    return tuple(found)


def _tox(texts: Mapping[str, str]) -> tuple[str, ...]:
    cfg = parse_ini(texts.get("tox.ini", ""))
    found: list[str] = []
    for line in _lines(cfg.get("testenv", "deps", fallback="")):
        include = re.match(r"-r\s*(?:\{toxinidir\}/)?(\S+)", line)
        if include:
            found += _file(include[1], texts)
        elif not re.match(r"(-|[\w,{}!.-]+:\s)", line):
            found.append(line)
    return tuple(found)
