"""Finds which folders and modules of a source tree people import: the scope of findings and coverage.

Rules, first match wins:
1. Sources stand where the build files say, else under `src`, `lib` or `python`, else at the root.
2. A package is a folder with `__init__.py` there; with none, a namespace's packages; with none, the
   modules that the build files name or that carry the project's name; with none, every module.
3. Tests, documentation, examples, benchmarks and build scripts are never import packages, unless the
   project is called so.
"""

import configparser
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.workspace.files import read_regular, tree_files

BUILD_FILES = ("pyproject.toml", "setup.cfg", "setup.py", "PKG-INFO")
_USUAL_ROOTS = ("src", "lib", "python", ".")
_OUTSIDE = """
test tests testing unittests unit_tests functional_tests integration e2e fuzz fuzzing docs doc
documentation example examples demo demos sample samples notebooks benchmark benchmarks bench perf
asv_bench script scripts tool tools build dist ci ext misc contrib requirements third_party vendor
site node_modules tasks setup conftest noxfile toxfile fabfile dodo pavement versioneer ez_setup
bootstrap hatch_build build_ext _custom_build manage runtests run_tests release make conf __init__
__main__
"""
_NOT_IMPORTED = frozenset(_OUTSIDE.split())
_PACKAGE_DIR = re.compile(r"""package_dir\s*=\s*\{\s*["']{2}\s*:\s*["']([^"']+)""")
_PY_MODULES = re.compile(r"""py_modules\s*=\s*\[([^\]]*)\]""")
_SETUP_NAME = re.compile(r"""\bname\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_WORD = re.compile(r"""["']([A-Za-z_][\w.]*)["']""")


@dataclass(frozen=True)
class Layout:
    """Where a tree's sources stand: `root` is the folder to put on the import path ("." or "src")."""

    root: str
    packages: tuple[str, ...]


@dataclass(frozen=True)
class _Declared:
    name: str | None
    roots: tuple[str, ...]
    modules: frozenset[str]


def import_packages(root: Path) -> tuple[str, ...]:
    """Return the packages and modules of the tree at `root` as POSIX paths, sorted."""
    return layout_at(root).packages


def layout_at(root: Path) -> Layout:
    """Read the layout of the tree at `root`; links are not followed."""
    texts = {name: read_regular(root / name) for name in BUILD_FILES}
    readable = {name: text.decode("utf-8", "replace") for name, text in texts.items() if text is not None}
    return layout_of(tree_files(root), readable)


def layout_of(files: Collection[str], texts: Mapping[str, str]) -> Layout:
    """Decide the layout from the tree's file paths and the texts of its `BUILD_FILES`."""
    declared = _declared(texts)
    for root in (*declared.roots, *_USUAL_ROOTS):
        found = _packages_under(root, files, declared)
        if found:
            return Layout(root, found)
    return Layout(".", ())


def project_name(texts: Mapping[str, str]) -> str | None:
    """Return the distribution's name as the build files state it."""
    return _declared(texts).name


def _packages_under(root: str, files: Collection[str], declared: _Declared) -> tuple[str, ...]:
    prefix = "" if root == "." else f"{root}/"
    inner = [path.removeprefix(prefix) for path in files if path.startswith(prefix) and path.endswith(".py")]
    folders = {path.removesuffix("/__init__.py") for path in inner if path.endswith("/__init__.py")}
    modules = {path.removesuffix(".py") for path in inner if "/" not in path}
    wanted = {module for module in modules if module in declared.modules or _is(module, declared.name)}
    packages = {folder for folder in folders if "/" not in folder and _imported(folder, declared.name)}
    found = packages or _namespaced(folders, declared.name)
    if found or wanted:
        chosen = found | {f"{module}.py" for module in wanted}
    else:
        chosen = {f"{module}.py" for module in modules if _imported(module, declared.name)}
    return tuple(sorted(f"{prefix}{path}" for path in chosen))


def _namespaced(folders: Collection[str], name: str | None) -> set[str]:
    candidates = {
        folder
        for folder in folders
        if folder.count("/") in (1, 2) and all(_imported(part, name) for part in folder.split("/"))
    }
    return {one for one in candidates if not any(one.startswith(f"{other}/") for other in candidates)}


def _imported(part: str, name: str | None) -> bool:
    if not part.isidentifier():
        return False
    outside = part in _NOT_IMPORTED or part.startswith("test_") or part.endswith(("_test", "_tests"))
    return not outside or _is(part, name)


def _is(module: str, name: str | None) -> bool:
    return name is not None and module.lower() == re.sub(r"[-.]+", "_", name).lower()


def _declared(texts: Mapping[str, str]) -> _Declared:
    data = parse_toml(texts.get("pyproject.toml", ""))
    setuptools = table(data, "tool", "setuptools")
    cfg = parse_ini(texts.get("setup.cfg", ""))
    script = texts.get("setup.py", "")
    roots = [
        *strings(table(setuptools, "packages", "find").get("where")),
        *strings([table(setuptools, "package-dir").get("")]),
        *(cfg.get("options", "package_dir", fallback="").replace("=", " ").split()[-1:]),
        *_PACKAGE_DIR.findall(script),
    ]
    modules = {
        *strings(setuptools.get("py-modules")),
        *cfg.get("options", "py_modules", fallback="").replace(",", " ").split(),
        *(word for group in _PY_MODULES.findall(script) for word in _WORD.findall(group)),
    }
    clean = tuple(root.strip("./") or "." for root in roots)
    return _Declared(_name(data, cfg, script, texts.get("PKG-INFO", "")), clean, frozenset(modules))


def _name(data: Mapping[str, object], cfg: configparser.ConfigParser, script: str, info: str) -> str | None:
    stated = [
        *strings([table(data, "project").get("name")]),
        *strings([table(data, "tool", "poetry").get("name")]),
        cfg.get("metadata", "name", fallback=""),
        *re.findall(r"(?m)^Name: (.+)$", info)[:1],
        *_SETUP_NAME.findall(script)[:1],
    ]
    return next((name.strip() for name in stated if name.strip()), None)


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
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
