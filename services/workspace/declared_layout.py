"""Reads from the build files where a project says its import packages stand.

Rules:
1. Nothing is executed: what is computed rather than written out is not declared here.
2. A search for packages declares only when it names what it looks for; `*` leaves the choice to the layout.
"""

import ast
import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.workspace.build_files import (
    called,
    literal,
    named,
    parse_ini,
    parse_toml,
    setup_packages,
    strings,
    table,
    words,
)  # fmt: skip

_PACKAGE_DIR = re.compile(r"""package_dir\s*=\s*\{\s*["']{2}\s*:\s*["']([^"']+)""")
_PY_MODULES = re.compile(r"""py_modules\s*=\s*\[([^\]]*)\]""")
_SETUP_NAME = re.compile(r"""\bname\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_WORD = re.compile(r"""["']([A-Za-z_][\w.]*)["']""")
_FIND = ("find:", "find_namespace:")


@dataclass(frozen=True)
class Package:
    """A package or module by its path below `root`; None: below whichever folder the sources stand in."""

    path: str
    root: str | None = None


@dataclass(frozen=True)
class Search:
    """A search for packages by patterns of dotted names; `bare` takes folders without `__init__.py` too."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    bare: bool


@dataclass(frozen=True)
class Declared:
    """What the build files say: the project's name, its source folders, modules, packages and searches."""

    name: str | None
    roots: tuple[str, ...]
    modules: frozenset[str]
    packages: tuple[Package, ...]
    searches: tuple[Search, ...]


def declared_layout(texts: Mapping[str, str]) -> Declared:
    """Read the texts of the `BUILD_FILES` that are there."""
    data = parse_toml(texts.get("pyproject.toml", ""))
    cfg = parse_ini(texts.get("setup.cfg", ""))
    script = texts.get("setup.py", "")
    expression = setup_packages(script)
    searches = (*_toml_searches(data), *_cfg_searches(cfg), *_script_searches(expression))
    return Declared(
        name=_name(data, cfg, script, texts.get("PKG-INFO", "")),
        roots=tuple(_clean(root) for root in _roots(data, cfg, script)),
        modules=frozenset(_modules(data, cfg, script)),
        packages=(*_toml_packages(data), *_dotted((*_cfg_packages(cfg), *_script_packages(expression)))),
        searches=tuple(one for one in searches if one.include and "*" not in one.include),
    )


def _roots(data: Mapping[str, object], cfg: configparser.ConfigParser, script: str) -> Iterator[str]:
    setuptools = table(data, "tool", "setuptools")
    yield from strings(table(setuptools, "packages", "find").get("where"))
    yield from named(table(setuptools, "package-dir").get(""))
    yield from named(table(data, "tool", "pdm", "build").get("package-dir"))
    yield from named(table(data, "tool", "maturin").get("python-source"))
    yield from words(cfg.get("options.packages.find", "where", fallback=""))
    yield from cfg.get("options", "package_dir", fallback="").replace("=", " ").split()[-1:]
    yield from _PACKAGE_DIR.findall(script)


def _modules(data: Mapping[str, object], cfg: configparser.ConfigParser, script: str) -> Iterator[str]:
    yield from strings(table(data, "tool", "setuptools").get("py-modules"))
    yield from words(cfg.get("options", "py_modules", fallback=""))
    yield from (word for group in _PY_MODULES.findall(script) for word in _WORD.findall(group))


def _toml_packages(data: Mapping[str, object]) -> Iterator[Package]:
    tool = table(data, "tool")
    yield from _dotted(strings(table(tool, "setuptools").get("packages")))
    yield from _dotted(named(table(tool, "flit", "module").get("name")))
    yield from _dotted(named(table(tool, "flit", "metadata").get("module")))
    yield from _uv(table(tool, "uv", "build-backend"))
    yield from _poetry(table(tool, "poetry").get("packages"))
    wheel = table(tool, "hatch", "build", "targets", "wheel")
    built = (
        *strings(table(tool, "hatch", "build").get("packages")),
        *strings(wheel.get("packages")),
        *strings(wheel.get("only-include")),
        *strings(table(tool, "pdm", "build").get("includes")),
        *strings(table(tool, "scikit-build", "wheel").get("packages")),
    )
    yield from (_built(path) for path in built)


def _dotted(names: tuple[str, ...]) -> Iterator[Package]:
    for name in names:
        yield Package(name.replace(".", "/"))


def _uv(backend: Mapping[str, object]) -> Iterator[Package]:
    root = next(iter(named(backend.get("module-root"))), "src")
    for name in named(backend.get("module-name")):
        yield Package(name.replace(".", "/"), _clean(root))


def _poetry(packages: object) -> Iterator[Package]:
    for one in packages if isinstance(packages, list) else []:
        if isinstance(one, dict) and isinstance(one.get("include"), str):
            root = one.get("from")
            yield Package(_unpatterned(one["include"]), _clean(root) if isinstance(root, str) else ".")


def _built(path: str) -> Package:
    """Read a path whose last part is what people import."""
    folder, _, last = _unpatterned(path).rpartition("/")
    return Package(last, folder or ".")


def _cfg_packages(cfg: configparser.ConfigParser) -> tuple[str, ...]:
    listed = words(cfg.get("options", "packages", fallback=""))
    return () if listed[:1] and listed[0] in _FIND else tuple(listed)


def _script_packages(expression: ast.expr | None) -> tuple[str, ...]:
    return strings(literal(expression)) if isinstance(expression, ast.List | ast.Tuple) else ()


def _toml_searches(data: Mapping[str, object]) -> Iterator[Search]:
    find = table(data, "tool", "setuptools", "packages", "find")
    bare = find.get("namespaces") is not False
    yield Search(strings(find.get("include")), strings(find.get("exclude")), bare)


def _cfg_searches(cfg: configparser.ConfigParser) -> Iterator[Search]:
    include, exclude = (
        words(cfg.get("options.packages.find", key, fallback="")) for key in ("include", "exclude")
    )
    bare = cfg.get("options", "packages", fallback="").strip() == _FIND[1]
    yield Search(tuple(include), tuple(exclude), bare)


def _script_searches(expression: ast.expr | None) -> Iterator[Search]:
    if isinstance(expression, ast.Call) and called(expression) in (
        "find_packages",
        "find_namespace_packages",
    ):
        stated = {one.arg: strings(literal(one.value)) for one in expression.keywords}
        bare = called(expression) == "find_namespace_packages"
        yield Search(stated.get("include", ()), stated.get("exclude", ()), bare)


def _name(data: Mapping[str, object], cfg: configparser.ConfigParser, script: str, info: str) -> str | None:
    stated = [
        *named(table(data, "project").get("name")),
        *named(table(data, "tool", "poetry").get("name")),
        cfg.get("metadata", "name", fallback=""),
        *re.findall(r"(?m)^Name: (.+)$", info)[:1],
        *_SETUP_NAME.findall(script)[:1],
    ]
    return next((name.strip() for name in stated if name.strip()), None)


def _clean(root: str) -> str:
    return root.strip("./") or "."


def _unpatterned(path: str) -> str:
    """Return a path up to its first part with a wildcard."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    plain = next((place for place, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    return "/".join(parts[:plain])
