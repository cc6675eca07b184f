"""How a target migrates its database: its tool, where its migrations lie, and how they follow each other.

Rules
1. Known are Alembic (`alembic.ini`, or `[tool.alembic]` in `pyproject.toml`) and Django (packages named
   `migrations`); what lies among tests or examples is not the project's own.
2. Migrations are read, never run: what is not written as a plain value cannot be known.
"""

import ast
import configparser
import posixpath
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

_ASIDE = frozenset({"test", "tests", "testing", "example", "examples", "docs", "doc"})
_DECLARING = frozenset({"alembic.ini", "pyproject.toml", "manage.py"})
_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["']\s*,\s*["']([A-Za-z_][\w.]*)["']""")
_SEVERAL = re.compile(r"[\s,;:]+")


class Tool(StrEnum):
    """What migrates a database, by the name of its distribution."""

    ALEMBIC = "alembic"
    DJANGO = "django"


@dataclass(frozen=True)
class Migrating:
    """One tool as a target uses it. Paths are of the tree.

    `settings` is the file that it is called with, empty where there is none; it is run in `home`. `folders`
    hold migrations. `module` names Django's settings.
    """

    tool: Tool
    home: str
    settings: str
    folders: tuple[str, ...]
    module: str = ""

    def holds(self, path: str) -> bool:
        """Whether `path` lies where migrations do."""
        return path.endswith(".py") and not path.endswith("/__init__.py") and bool(self.folder_of(path))

    def folder_of(self, path: str) -> str:
        """Return the folder of migrations that `path` lies in; empty when it is none."""
        return next((folder for folder in self.folders if path.startswith(f"{folder}/")), "")


@dataclass(frozen=True)
class Revision:
    """One migration: its file, its name, and the names of those in the same folder it follows directly."""

    path: str
    group: str
    name: str
    after: tuple[str, ...]


def declares_migrations(path: str) -> bool:
    """Whether a file may say which tool there is."""
    return PurePosixPath(path).name in _DECLARING


def migrating(paths: Collection[str], texts: Mapping[str, str]) -> tuple[Migrating, ...]:
    """Return the tools of a tree; `texts` holds the files of it that `declares_migrations` names."""
    own = [path for path in sorted(paths, key=lambda path: (path.count("/"), path)) if _is_own(path)]
    found = [_alembic(path, texts[path], own) for path in own if path in texts]
    return (*(one for one in found if one is not None), *_django(own, texts))


def _is_own(path: str) -> bool:
    return not _ASIDE & set(PurePosixPath(path).parts[:-1])


def _alembic(path: str, text: str, own: list[str]) -> Migrating | None:
    home, name = posixpath.split(path)
    said = (
        _ini(text, home) if name == "alembic.ini" else _toml(text, home) if name == "pyproject.toml" else {}
    )
    place = said.get("script_location", "")
    module, colon, inner = place.partition(":")
    wanted = f"{module.replace('.', '/')}/{inner}" if colon else place
    scripts = _script_folder(home, wanted.strip("/"), own) if wanted else ""
    if not scripts:
        return None
    stated = [_joined(home, one) for one in _SEVERAL.split(said.get("version_locations", "")) if one]
    return Migrating(Tool.ALEMBIC, home, path, tuple(stated) or (f"{scripts}/versions",))


def _ini(text: str, home: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
        values = dict(parser.items("alembic"))
    except configparser.Error:
        return {}
    return {key: value.replace("%(here)s", f"/{home}" if home else "") for key, value in values.items()}


def _toml(text: str, home: str) -> dict[str, str]:
    try:
        values = tomllib.loads(text).get("tool", {}).get("alembic", {})
    except tomllib.TOMLDecodeError:
        return {}
    if not isinstance(values, dict):
        return {}
    said = {}
    for key, value in values.items():
        plain = " ".join(map(str, value)) if isinstance(value, list) else str(value)
        said[key] = plain.replace("%(here)s", f"/{home}" if home else "")
    return said


def _joined(home: str, place: str) -> str:
    """Return a place as a path of the tree: one that begins with a slash was given from its root."""
    return posixpath.normpath(place.strip("/") if place.startswith("/") else posixpath.join(home, place))


def _script_folder(home: str, wanted: str, own: list[str]) -> str:
    """Return the folder with the `env.py` that is meant; a package may lie below a source folder."""
    exact = posixpath.normpath(posixpath.join(home, wanted))
    known = [posixpath.dirname(path) for path in own if path.endswith("/env.py")]
    if exact in known:
        return exact
    return next((one for one in known if one == wanted or one.endswith(f"/{wanted}")), "")


def _django(own: list[str], texts: Mapping[str, str]) -> tuple[Migrating, ...]:
    packages = [posixpath.dirname(path) for path in own if path.endswith("/migrations/__init__.py")]
    if not packages:
        return ()
    for path in own:
        found = _SETTINGS.search(texts[path]) if path in texts and path.endswith("manage.py") else None
        if found:
            home = posixpath.dirname(path)
            return (Migrating(Tool.DJANGO, home, path, tuple(packages), found[1]),)
    return (Migrating(Tool.DJANGO, "", "", tuple(packages)),)


def revisions(how: Migrating, texts: Mapping[str, str]) -> dict[str, Revision]:
    """Return the migrations among `texts`, by path; what is none, or cannot be read, is not among them."""
    trees = {path: tree for path, text in texts.items() if how.holds(path) and (tree := _parsed(text))}
    if how.tool is Tool.ALEMBIC:
        found = {path: _alembic_revision(path, tree) for path, tree in trees.items()}
        return {path: one for path, one in found.items() if one is not None}
    made = {path: one for path, tree in trees.items() if (one := _migration_class(tree)) is not None}
    pairs = {path: _dependencies(one) for path, one in made.items()}
    return {path: _django_revision(path, how.folder_of(path), pairs) for path in made}


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def heads(known: Iterable[Revision]) -> dict[str, tuple[str, ...]]:
    """Return by group the names that no other migration of it follows, sorted.

    Alembic's folders are one group, for a migration may follow one of another folder.
    """
    known = tuple(known)
    groups: dict[str, tuple[str, ...]] = {}
    for group in sorted({one.group for one in known}):
        mine = [one for one in known if one.group == group]
        followed = {name for one in mine for name in one.after}
        groups[group] = tuple(sorted({one.name for one in mine} - followed))
    return groups


def newest_first(known: Iterable[Revision]) -> tuple[Revision, ...]:
    """Order migrations so that each stands before those it follows."""
    waiting, ordered = list(known), []
    while waiting:
        followed = {(one.group, name) for one in waiting for name in one.after}
        free = [one for one in waiting if (one.group, one.name) not in followed] or waiting
        ordered += free
        waiting = [one for one in waiting if one not in free]
    return tuple(ordered)


def _alembic_revision(path: str, tree: ast.Module) -> Revision | None:
    values = _assigned(tree.body)
    name = values.get("revision")
    return Revision(path, "", name, _names(values.get("down_revision"))) if isinstance(name, str) else None


def _migration_class(tree: ast.Module) -> ast.ClassDef | None:
    return next((one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "Migration"), None)


def _dependencies(made: ast.ClassDef) -> list[tuple[str, str]]:
    """What a migration follows or replaces, each by application and name."""
    values = _assigned(made.body)
    return [*_pairs(values.get("dependencies")), *_pairs(values.get("replaces"))]


def _django_revision(path: str, folder: str, pairs: Mapping[str, list[tuple[str, str]]]) -> Revision:
    label = PurePosixPath(folder).parent.name
    beside = [pair for other, found in pairs.items() if other.startswith(f"{folder}/") for pair in found]
    named = any(one == label for one, _ in beside)  # an application may call itself otherwise
    after = tuple(name for one, name in pairs[path] if one == label or not named)
    return Revision(path, folder, PurePosixPath(path).stem, after)


def _assigned(body: Iterable[ast.stmt]) -> dict[str, object]:
    """What names are given as plain values; of a list, the items that are plain."""
    values: dict[str, object] = {}
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values[name] = _plain(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                values[name] = _plain(value)
            case _:
                pass
    return values


def _plain(value: ast.expr) -> object:
    if isinstance(value, ast.List | ast.Tuple):
        return tuple(_plain(one) for one in value.elts)
    return value.value if isinstance(value, ast.Constant) else None


def _names(value: object) -> tuple[str, ...]:
    several = value if isinstance(value, tuple) else (value,)
    return tuple(one for one in several if isinstance(one, str))


def _pairs(value: object) -> Iterable[tuple[str, str]]:
    for pair in value if isinstance(value, tuple) else ():
        if isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(one, str) for one in pair):
            yield pair
