"""Keeps imports that only look unused: what a module hands on to others, or runs for its effect.

Rules
1. An import of the target's own modules stays: it hands a name on, or the imported module does something.
2. An import of anything else stays where another module of the target takes the name from this one.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from schemas.findings import Site
from services.engines.deterministic.by_site import site_of
from services.engines.deterministic.finding import inside, read_source, source_files
from services.engines.deterministic.ruff import Diagnostic
from services.engines.deterministic.source import Source

UNUSED_IMPORT = "F401"
OWN = "the module hands on a name of the project's own, or imports its module for what that does"
TAKEN = "another module takes this name from here"

_IMPORTED = re.compile(r"`([^`]+)` imported but unused")


def needed(
    tree: Path, packages: Sequence[str], diagnostics: Iterable[Diagnostic], sources: dict[str, Source | None]
) -> dict[Site, str]:
    """Give the places of unused imports that must stay, with the reason."""
    own = {PurePosixPath(package).stem for package in packages}
    texts: dict[str, str] = {}
    kept: dict[Site, str] = {}
    for said in diagnostics:
        imported, source = _IMPORTED.match(said.message), sources.get(said.filename)
        if imported is None or source is None:
            continue
        name = imported.group(1)
        texts = texts or _texts(tree, packages)
        if name.startswith(".") or re.split(r"[. ]", name, maxsplit=1)[0] in own:
            kept[site_of(said, source)] = OWN
        elif _is_taken(_bound(name), said.filename, texts):
            kept[site_of(said, source)] = TAKEN
    return kept


def _texts(tree: Path, packages: Sequence[str]) -> dict[str, str]:
    paths, _ = inside(tree, packages)
    read = {path: read_source(tree / path) for path in source_files(tree, paths)}
    return {path: source.text for path, source in read.items() if source is not None}


def _bound(imported: str) -> str:
    """The name that an import binds: `c` of `a.b as c`, `b` of `a.b`."""
    return imported.rpartition(" as ")[2].rpartition(".")[2]


def _is_taken(name: str, path: str, texts: dict[str, str]) -> bool:
    pure = PurePosixPath(path)
    module = re.escape(pure.parent.name if pure.stem == "__init__" else pure.stem)
    word = re.escape(name)
    taking = re.compile(
        rf"from\s+[\w.]*\b{module}\s+import\s+(?:\([^)]*?\b{word}\b|[^\n(]*\b{word}\b)|\b{module}\.{word}\b"
    )
    everything = re.compile(rf"from\s+[\w.]*\b{module}\s+import\s+\*")
    used = re.compile(rf"\b{word}\b")
    return any(
        taking.search(text) or (everything.search(text) and used.search(text))
        for other, text in texts.items()
        if other != path and name in text
    )
