"""What a person should know about a target before fixes are written for it."""

import tomllib
from collections.abc import Mapping

from packaging.specifiers import InvalidSpecifier, SpecifierSet

OLDER = ("2.7", *(f"3.{minor}" for minor in range(10)))


def python_remark(texts: Mapping[str, str], target_version: str) -> tuple[str, ...]:
    """Say so when the project declares support for a Python older than the fixes are written for.

    `texts` holds the project's `pyproject.toml` and `PKG-INFO` where it has them; `target_version` is ruff's
    name of the oldest Python fixes are written for, such as `py310`.
    """
    stated = _stated(texts)
    written_for = f"{target_version[2]}.{target_version[3:]}"
    try:
        older = stated and any(
            version in SpecifierSet(stated) for version in OLDER if _key(version) < _key(written_for)
        )
    except InvalidSpecifier:
        return ()
    if not older:
        return ()
    return (
        f"the project declares Python {stated}; fixes are written for Python {written_for} and later, "
        "and proven on the Python that runs here only",
    )


def _stated(texts: Mapping[str, str]) -> str:
    try:
        project = tomllib.loads(texts.get("pyproject.toml", "")).get("project", {})
    except tomllib.TOMLDecodeError:
        project = {}
    if isinstance(project, dict) and isinstance(project.get("requires-python"), str):
        return str(project["requires-python"])
    lines = texts.get("PKG-INFO", "").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("Requires-Python:")), "")


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
