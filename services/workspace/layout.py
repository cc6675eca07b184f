"""Finds which folders and modules of a source tree people import: the scope of findings and coverage.

Rules, first match wins:
1. Packages that the build files name, wherever they say and whatever they are called. Tests,
   documentation, examples and benchmarks named beside others are none for all that.
2. Else sources stand where the build files say, else under `src`, `lib` or `python`, else at the root;
   a package is a folder with `__init__.py` there; with none, a namespace's packages; with none, the
   modules that the build files name or that carry the project's name; with none, every module; with
   none, the one folder that holds modules all the same (a namespace without any `__init__.py`).
3. Tests, documentation, examples, benchmarks and build scripts are never found by rule 2, unless the
   project is called so.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from services.workspace.build_files import BUILD_FILES
from services.workspace.declared_layout import Declared, Search, declared_layout
from services.workspace.files import read_regular, tree_files

_USUAL_ROOTS = ("src", "lib", "python", ".")
_BESIDE_WORDS = """
test tests testing unittests unit_tests functional_tests integration e2e fuzz fuzzing docs doc
documentation example examples demo demos sample samples notebooks benchmark benchmarks bench perf
asv_bench
"""
_OUTSIDE = """
script scripts tool tools build dist ci ext misc contrib requirements third_party vendor
site node_modules tasks setup conftest noxfile toxfile fabfile dodo pavement versioneer ez_setup
bootstrap hatch_build build_ext _custom_build manage runtests run_tests release make conf __init__
__main__
"""
_BESIDE = frozenset(_BESIDE_WORDS.split())
_NOT_IMPORTED = _BESIDE.union(_OUTSIDE.split())
_NO_PACKAGE = (
    "no import package was found, so nothing was searched: name what people import in the build files,"
    ' such as `[tool.setuptools] packages = ["name"]` in pyproject.toml, and commit that'
)


@dataclass(frozen=True)
class Layout:
    """Where a tree's sources stand: `root` is the folder to put on the import path ("." or "src")."""

    root: str
    packages: tuple[str, ...]


def import_packages(root: Path) -> tuple[str, ...]:
    """Return the packages and modules of the tree at `root` as POSIX paths, sorted."""
    return layout_at(root).packages


def scope_remarks(packages: Collection[str]) -> tuple[str, ...]:
    """Tell a person when there is nothing to search, and how to name what there is."""
    return () if packages else (_NO_PACKAGE,)


def layout_at(root: Path) -> Layout:
    """Read the layout of the tree at `root`; links are not followed."""
    texts = {name: read_regular(root / name) for name in BUILD_FILES}
    readable = {name: text.decode("utf-8", "replace") for name, text in texts.items() if text is not None}
    return layout_of(tree_files(root), readable)


def layout_of(files: Collection[str], texts: Mapping[str, str]) -> Layout:
    """Decide the layout from the tree's file paths and the texts of its `BUILD_FILES`."""
    declared = declared_layout(texts)
    stated = [package.root for package in declared.packages if package.root is not None]
    roots = tuple(dict.fromkeys((*stated, *declared.roots, *_USUAL_ROOTS)))
    for decide in (_named_under, _usual_under):
        for root in roots:
            found = decide(root, _below(root, files), declared)
            if found:
                prefix = _prefix(root)
                return Layout(root, tuple(sorted(f"{prefix}{path}" for path in found)))
    return Layout(".", ())


def project_name(texts: Mapping[str, str]) -> str | None:
    """Return the distribution's name as the build files state it."""
    return declared_layout(texts).name


def _prefix(root: str) -> str:
    return "" if root == "." else f"{root}/"


def _below(root: str, files: Collection[str]) -> Set[str]:
    """Return the Python files of a folder, by their paths below it."""
    prefix = _prefix(root)
    return {path.removeprefix(prefix) for path in files if path.startswith(prefix) and path.endswith(".py")}


def _named_under(root: str, inner: Set[str], declared: Declared) -> set[str]:
    """Return what the build files name below `root`; nothing unless a package is among it."""
    paths = {one.path for one in declared.packages if one.path and one.root in (None, root)}
    paths |= {path for search in declared.searches for path in _searched(search, inner)}
    found = {holder for path in paths for holder in (*_holders(path, inner), *_module(path, inner))}
    found = _topmost(found)
    proper = {path for path in found if not _beside(path)} or found
    if not proper:
        return set()
    return proper | {f"{one}.py" for one in declared.modules if f"{one}.py" in inner}


def _searched(search: Search, inner: Set[str]) -> set[str]:
    """Return the folders a search of the build files finds, as the back-end would."""
    folders = {folder for path in inner for folder in _folders(path)}
    if not search.bare:
        folders = {
            one for one in folders if all(f"{above}/__init__.py" in inner for above in _folders(f"{one}/"))
        }
    names = {one: one.replace("/", ".") for one in folders}
    return {
        one
        for one, name in names.items()
        if _matches(name, search.include) and not _matches(name, search.exclude)
    }


def _folders(path: str) -> list[str]:
    """Return every folder a path lies in, outermost first."""
    return [path[:place] for place, character in enumerate(path) if character == "/"]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _holders(folder: str, inner: Set[str]) -> set[str]:
    """Return `folder` when it holds modules itself, else the nearest folders below it that do."""
    return _topmost({path.rpartition("/")[0] for path in inner if path.startswith(f"{folder}/")})


def _module(path: str, inner: Set[str]) -> set[str]:
    return {one for one in (path, f"{path}.py") if one in inner}


def _topmost(folders: Collection[str]) -> set[str]:
    return {one for one in folders if not any(above in folders for above in _folders(one))}


def _beside(path: str) -> bool:
    first = path.split("/", 1)[0].removesuffix(".py")
    return first in _BESIDE or _named_for_tests(first)


def _usual_under(root: str, inner: Set[str], declared: Declared) -> set[str]:
    folders = {path.removesuffix("/__init__.py") for path in inner if path.endswith("/__init__.py")}
    modules = {path.removesuffix(".py") for path in inner if "/" not in path}
    wanted = {module for module in modules if module in declared.modules or _is(module, declared.name)}
    packages = {folder for folder in folders if "/" not in folder and _imported(folder, declared.name)}
    found = packages or _namespaced(folders, declared.name)
    if found or wanted:
        return found | {f"{module}.py" for module in wanted}
    usual = {f"{module}.py" for module in modules if _imported(module, declared.name)}
    bare = _bare_folders(inner, declared.name)
    led = {folder for folder in bare if _leads(folder, declared.name)}
    if root == "." and len(bare) != 1:
        bare = set()
    chosen = led or (set() if usual else bare)
    return {holder for folder in chosen for holder in _holders(folder, inner)} or usual


def _bare_folders(inner: Set[str], name: str | None) -> set[str]:
    """Return the outermost folders that hold modules and could be a namespace without `__init__.py`."""
    tops = {path.split("/", 1)[0] for path in inner if "/" in path}
    return {top for top in tops if top not in _USUAL_ROOTS and _imported(top, name)}


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
    return not (part in _NOT_IMPORTED or _named_for_tests(part)) or _is(part, name)


def _named_for_tests(part: str) -> bool:
    return part.startswith("test_") or part.endswith(("_test", "_tests"))


def _is(module: str, name: str | None) -> bool:
    return name is not None and module.lower() == _as_module(name)


def _leads(folder: str, name: str | None) -> bool:
    """Say whether a project's name begins with the folder's: `acme` leads `acme-tools`."""
    return name is not None and f"{_as_module(name)}_".startswith(f"{folder.lower()}_")


def _as_module(name: str) -> str:
    return re.sub(r"[-.]+", "_", name).lower()
