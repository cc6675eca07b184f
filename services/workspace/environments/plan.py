"""Decides what goes into a target's environment and under which hash it is kept."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from services.workspace.build_files import parse_toml
from services.workspace.environments.dependencies import Declared, declared, recognised
from services.workspace.layout import Layout, layout_of, project_name

RECIPE = 2  # raise it when the same inputs should give another environment
_BUILD_SCRIPTS = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in", "meson.build", "CMakeLists.txt")
_COMPILED = (
    ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".pyx", ".pxd", ".pxi", ".rs", ".f", ".f90", ".s", ".S",
    ".cmake", ".lock", ".toml", ".in", ".y", ".l",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """An environment to build: `sha` names it, `version` is what a build without git history should say."""

    sha: str
    layout: Layout
    declared: Declared
    recognised: tuple[str, ...]
    installable: bool
    version: str


def is_test_source(path: str) -> bool:
    """Say whether a path is a test module or a conftest."""
    name = path.rsplit("/", 1)[-1]
    return name.endswith(".py") and (
        name.startswith(("test", "conftest")) or name.endswith(("_test.py", "_tests.py"))
    )


def plan_environment(
    blobs: Mapping[str, str],
    texts: Mapping[str, str],
    test_sources: tuple[str, ...],
    *,
    tag: str | None,
    python: str,
) -> Plan:
    """Plan from the tree's blob ids by path, the texts of its declaring files and of its test modules.

    `python` names the interpreter and its version. Sources in Python do not count: they are run from the
    tree itself, so one environment serves every change that leaves build and dependencies alone.
    """
    layout = layout_of(blobs, texts)
    stated = declared(texts)
    own = project_name(texts)
    extra = recognised(test_sources, (*stated.runtime, *stated.testing, *([own] if own else [])))
    version = _version(texts.get("PKG-INFO", ""), tag)
    inputs = sorted((path, sha) for path, sha in blobs.items() if _builds(path, layout))
    parts = [
        RECIPE,
        python,
        layout.root,
        layout.packages,
        stated.runtime,
        stated.testing,
        extra,
        version,
        inputs,
    ]
    sha = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return Plan(sha, layout, stated, extra, _installable(texts), version)


def _builds(path: str, layout: Layout) -> bool:
    if path in _BUILD_SCRIPTS or path.endswith(_COMPILED):
        return True
    return "/" not in path and path.endswith(".py") and path not in layout.packages


def _installable(texts: Mapping[str, str]) -> bool:
    data = parse_toml(texts.get("pyproject.toml", ""))
    return "setup.py" in texts or "project" in data or "build-system" in data


def _version(info: str, tag: str | None) -> str:
    stated = re.search(r"(?m)^Version: (.+)$", info)
    for text in (stated[1] if stated else "", re.sub(r"^\D*", "", tag or "")):
        try:
            return str(Version(text.strip()))
        except InvalidVersion:
            continue
    return "0.0.0"
