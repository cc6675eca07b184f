"""Finds: what ruff reports over a target's import packages, as findings that survive edits elsewhere."""

import asyncio
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from schemas.base import Frozen
from schemas.findings import Finding
from services.engines.deterministic import codemods, ruff
from services.engines.deterministic.rules import FixKind, RuleSet, catalogue
from services.engines.deterministic.source import Source

SETTINGS_FILES = ("pyproject.toml", "ruff.toml", ".ruff.toml", "setup.cfg", "tox.ini", ".flake8")


class SettingsFile(Frozen):
    """A file in which a target could exclude files from its checks, by digest."""

    path: str
    sha256: str


class Scan(Frozen):
    """What a look at a target saw.

    `findings` counts as the target has its suppression comments, `unmasked` with all of them
    ignored; both are ordered by path, line, column and rule. `files` are the source files looked
    at. `notes` name what could not be read in full.
    """

    findings: tuple[Finding, ...]
    unmasked: tuple[Finding, ...]
    files: tuple[str, ...]
    settings: tuple[SettingsFile, ...]
    notes: tuple[str, ...]


async def find(tree: Path, packages: Sequence[str], rules: RuleSet) -> Scan:
    """Look at `packages` (folders or modules, relative to `tree`), executing nothing.

    A package that is absent or lies outside the tree becomes a note; the rest goes on.
    """
    paths, notes = inside(tree, packages)
    if not paths:
        return Scan(findings=(), unmasked=(), files=(), settings=_settings(tree), notes=notes)
    seen, bare = await asyncio.gather(
        ruff.check(tree, paths, rules.select, rules.target_version),
        ruff.check(tree, paths, rules.select, rules.target_version, "--ignore-noqa"),
    )
    sources: dict[str, Source | None] = {}
    return Scan(
        findings=await described(tree, seen.diagnostics, sources),
        unmasked=await described(tree, bare.diagnostics, sources),
        files=source_files(tree, paths),
        settings=_settings(tree),
        notes=tuple(sorted({*notes, *seen.notes})),
    )


async def described(
    tree: Path, diagnostics: Iterable[ruff.Diagnostic], sources: dict[str, Source | None]
) -> tuple[Finding, ...]:
    """Name the place of each diagnostic, reading each file once; `sources` keeps what was read."""
    # a file may be megabytes long, and whoever holds a lease must still be able to say so
    return await asyncio.to_thread(_described, tree, diagnostics, sources)


def _described(
    tree: Path, diagnostics: Iterable[ruff.Diagnostic], sources: dict[str, Source | None]
) -> tuple[Finding, ...]:
    findings = []
    for said in diagnostics:
        if said.filename not in sources:
            sources[said.filename] = read_source(tree / said.filename)
        findings.append(finding(said, sources[said.filename]))
    return tuple(sorted(findings, key=lambda f: (f.path, f.line, f.column, f.rule, f.message)))


def finding(said: ruff.Diagnostic, source: Source | None) -> Finding:
    """Turn a diagnostic into a finding; in a notebook cell or an unreadable file it has no scope."""
    located = source if said.cell is None else None
    row = said.location.row
    return Finding(
        rule=said.code or "",
        path=said.filename,
        line=row,
        column=said.location.column,
        message=said.message,
        scope=located.scope(row) if located else "",
        text=located.line(row) if located else "",
        fixable=codemods.can_fix(said) or ruff_can_fix(said),
    )


def ruff_can_fix(said: ruff.Diagnostic) -> bool:
    """Whether ruff's own fix may be used."""
    if said.fixes is None:
        return False
    rule = catalogue().get(said.code or "")
    return rule is None or rule.fix is not FixKind.NEVER


def read_source(path: Path) -> Source | None:
    """Read a file as UTF-8, or give None when it is something else."""
    try:
        return Source.decode(path.read_bytes())
    except (UnicodeDecodeError, OSError):
        return None


def source_files(tree: Path, paths: Sequence[str]) -> tuple[str, ...]:
    """List the Python files under `paths`, links left out, relative to the tree and sorted."""
    root = tree.resolve()
    found = {path for path in paths if (root / path).is_file()}
    for path in paths:
        for folder, _, names in os.walk(root / path):
            full = (Path(folder, name) for name in names if name.endswith(ruff.SOURCE_SUFFIXES))
            found.update(f.relative_to(root).as_posix() for f in full if not f.is_symlink())
    return tuple(sorted(path for path in found if _is_utf8(path)))


def _is_utf8(path: str) -> bool:
    """Whether a name is text; `os` gives other bytes as lone surrogates, which no event can hold."""
    return not any("\udc80" <= character <= "\udcff" for character in path)


def inside(tree: Path, packages: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the packages that exist within the tree, links resolved, and notes on the others."""
    root = tree.resolve()
    paths, notes = [], []
    for package in packages:
        real = (root / package).resolve()
        if not real.is_relative_to(root):
            notes.append(f"{package}: leads outside the target, left out")
        elif not real.exists():
            notes.append(f"{package}: no such file or folder")
        else:
            paths.append(real.relative_to(root).as_posix())
    return tuple(dict.fromkeys(paths)), tuple(notes)


def _settings(tree: Path) -> tuple[SettingsFile, ...]:
    return tuple(
        SettingsFile(path=name, sha256=hashlib.sha256((tree / name).read_bytes()).hexdigest())
        for name in SETTINGS_FILES
        if (tree / name).is_file() and not (tree / name).is_symlink()
    )
