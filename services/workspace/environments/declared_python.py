"""Reads which Pythons a project declares that it runs on, from its build files.

Rules, the first that says something wins
1. The version specifier of `pyproject.toml`, `setup.cfg`, `setup.py` or `PKG-INFO`, if it has a lower bound.
2. The lowest version among the classifiers.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from services.workspace.build_files import BUILD_FILES, parse_ini, parse_toml, table
from services.workspace.files import read_regular

_NEWEST = 40  # no specifier is asked beyond this minor version
_CLASSIFIER = re.compile(r"Programming Language :: Python :: (\d+)\.(\d+)")
_KEYWORD = re.compile(r"""python_requires\s*=\s*(?:["']([^"']+)["']|(\w+))""")
_POETRY = re.compile(r"^\^\s*(\d+(?:\.\d+)*)")


@dataclass(frozen=True)
class DeclaredPython:
    """What a project says: `stated` in its words, `oldest` the lowest minor version of Python 3 (None: it
    does not say), `two` whether Python 2 counts as well."""

    stated: str = ""
    oldest: int | None = None
    two: bool = False


def declared_python(texts: Mapping[str, str]) -> DeclaredPython:
    """Read the texts of the project's build files; a broken file declares nothing."""
    for stated in _specifiers(texts):
        found = _admitted(stated)
        if found is not None:
            return found
    versions = [
        (int(major), int(minor)) for text in texts.values() for major, minor in _CLASSIFIER.findall(text)
    ]
    threes = [minor for major, minor in versions if major == 3]
    if not threes:
        return DeclaredPython()
    two = any(major == 2 for major, _ in versions)
    return DeclaredPython(f">={'.'.join(map(str, min(versions)))}", min(threes), two)


def python_at(root: Path) -> DeclaredPython:
    """Read what the tree at `root` declares; links are not followed."""
    texts = {name: read_regular(root / name) for name in BUILD_FILES}
    return declared_python({name: text.decode("utf-8", "replace") for name, text in texts.items() if text})


def _specifiers(texts: Mapping[str, str]) -> Iterable[str]:
    data = parse_toml(texts.get("pyproject.toml", ""))
    poetry = str(table(data, "tool", "poetry", "dependencies").get("python", ""))
    yield str(table(data, "project").get("requires-python", ""))
    yield _POETRY.sub(r">=\1", poetry)
    yield parse_ini(texts.get("setup.cfg", "")).get("options", "python_requires", fallback="")
    yield _in_script(texts.get("setup.py", ""))
    yield from re.findall(r"(?m)^Requires-Python: *(.+)$", texts.get("PKG-INFO", ""))[:1]


def _in_script(text: str) -> str:
    """The value in a setup script: a string, or a name that one line binds to a string."""
    found = _KEYWORD.search(text)
    if found is None or found[1]:
        return found[1] if found else ""
    bound = re.search(rf"""(?m)^\s*{found[2]}\s*=\s*["']([^"']+)["']""", text)
    return bound[1] if bound else ""


def _admitted(stated: str) -> DeclaredPython | None:
    """What a specifier admits; None when it is none, has no lower bound, or no Python 3 fits."""
    try:
        wanted = SpecifierSet(stated)
    except InvalidSpecifier:
        return None
    if not stated or "1.0" in wanted:
        return None
    fitting = (minor for minor in range(_NEWEST) if _any_patch(f"3.{minor}", wanted))
    oldest = next(fitting, None)
    return None if oldest is None else DeclaredPython(stated, oldest, _any_patch("2.7", wanted))


def _any_patch(version: str, wanted: SpecifierSet) -> bool:
    """Whether a minor version is admitted, be it only from some patch release on, as `>=3.6.1` has it."""
    return version in wanted or f"{version}.99" in wanted
