"""Reads the files that declare how a project is built; executes none, and takes a broken one for empty."""

import ast
import configparser
import tomllib
from collections.abc import Mapping

BUILD_FILES = ("pyproject.toml", "setup.cfg", "setup.py", "PKG-INFO")


def parse_toml(text: str) -> Mapping[str, object]:
    """Parse TOML; a broken file counts as an empty one, as the build will say what is wrong with it."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def parse_ini(text: str) -> configparser.ConfigParser:
    """Parse an INI file; a broken one counts as empty, as the tool that owns it will say so."""
    parsed = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parsed.read_string(text)
    except configparser.Error:
        return configparser.ConfigParser(interpolation=None)
    return parsed


def table(data: Mapping[str, object], *keys: str) -> Mapping[str, object]:
    """Return a nested table, empty when any step is missing or no table."""
    for key in keys:
        inner = data.get(key)
        data = inner if isinstance(inner, dict) else {}
    return data


def strings(value: object) -> tuple[str, ...]:
    """Return the strings of a list, nothing for anything else."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()


def named(value: object) -> tuple[str, ...]:
    """Return one string or the strings of a list."""
    return (value,) if isinstance(value, str) else strings(value)


def words(text: str) -> list[str]:
    """Split a list as INI files write it: by commas, blanks and lines."""
    return text.replace(",", " ").split()


def setup_packages(script: str) -> ast.expr | None:
    """Return what a `setup.py` gives `setup(packages=…)`, a name followed to what it was assigned."""
    try:
        module = ast.parse(script)
    except (SyntaxError, ValueError):  # a script for Python 2, or none at all
        return None
    assigned = {
        goal.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for goal in node.targets
        if isinstance(goal, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and called(node) == "setup":
            for keyword in node.keywords:
                if keyword.arg == "packages":
                    value = keyword.value
                    return assigned.get(value.id) if isinstance(value, ast.Name) else value
    return None


def called(call: ast.Call) -> str:
    """Return the last name of what is called: `find_packages` of `setuptools.find_packages()`."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def literal(node: ast.expr) -> object:
    """Return the value of an expression that is written out, None for any other."""
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return value
