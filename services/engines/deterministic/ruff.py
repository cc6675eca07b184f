"""Runs ruff and reads its answer.

Rules:
1. Always isolated and uncached, with an environment of its own: nothing on the machine or in the
   target changes the answer.
2. Symbolic links are not entered: a link may lead outside the target, and what it names inside is
   seen under its own name.
3. A suppression of a rule outside the selection is no finding: the target's own checks may need it.
"""

import asyncio
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter
from ruff import find_ruff_bin  # type: ignore[import-untyped]  # the wheel carries no types

from services.engines.deterministic.outside import UNUSED_SUPPRESSION, rules_outside

FILES_PER_RUN = 400  # keeps the command line far below the system's limit
SOURCE_SUFFIXES = (".py", ".pyi", ".pyw")


class RuffFailed(Exception):  # noqa: N818 -- says what happened, as the glossary has it
    """Ruff refused its arguments or broke; the message is its own."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Place(_Answer):
    """A position counted from 1, in characters."""

    row: int
    column: int


class Edit(_Answer):
    """A replacement of the text between two places."""

    content: str
    location: Place
    end_location: Place


class Fix(_Answer):
    """What ruff would do about a diagnostic; edits are ordered and do not overlap."""

    applicability: str
    edits: tuple[Edit, ...]


class Diagnostic(_Answer):
    """One report of ruff, `filename` made relative to the tree."""

    code: str | None
    name: str = ""
    filename: str
    location: Place
    end_location: Place | None = None
    message: str
    fix: Fix | None = None
    cell: int | None = None

    @property
    def fixes(self) -> Fix | None:
        """The fix that `--unsafe-fixes` would apply, if there is one."""
        if self.fix is None or self.fix.applicability == "display" or self.cell is not None:
            return None
        return self.fix

    @property
    def is_safe(self) -> bool:
        """Whether ruff says that its fix keeps behaviour."""
        return self.fix is not None and self.fix.applicability == "safe"

    @property
    def rows(self) -> frozenset[int]:
        """The rows that are reported or that the fix touches."""
        spans = [(self.location, self.end_location or self.location)]
        spans += [(edit.location, edit.end_location) for edit in (self.fix.edits if self.fix else ())]
        return frozenset(row for start, end in spans for row in range(start.row, max(start.row, end.row) + 1))


@dataclass(frozen=True)
class Report:
    """What a run of ruff said: diagnostics of rules, and files it could not read in full."""

    diagnostics: tuple[Diagnostic, ...]
    notes: tuple[str, ...]


_DIAGNOSTICS = TypeAdapter(list[Diagnostic])


@cache
def binary() -> str:
    """Give the path of the installed wheel's executable."""
    return str(find_ruff_bin())


def _real(tree: Path) -> Path:
    """Resolve links in the way to the tree, as ruff does when it names files."""
    return tree.resolve()


async def check(
    tree: Path,
    paths: Sequence[str],
    select: Sequence[str],
    target_version: str,
    *options: str,
) -> Report:
    """Check `paths` (relative to `tree`); with `--fix` among `options` ruff edits them in place.

    Raises RuffFailed when ruff does not understand what it was asked.
    """
    reports = [
        await _run(tree, paths[start : start + FILES_PER_RUN], select, target_version, options)
        for start in range(0, len(paths), FILES_PER_RUN)
    ]
    return Report(
        diagnostics=tuple(d for report in reports for d in report.diagnostics),
        notes=tuple(n for report in reports for n in report.notes),
    )


async def _run(
    tree: Path, paths: Sequence[str], select: Sequence[str], target_version: str, options: Sequence[str]
) -> Report:
    root = _real(tree)
    arguments = [
        "check",
        "--isolated",
        "--no-cache",
        "--no-respect-gitignore",
        "--exit-zero",
        *("--output-format", "json"),
        *("--target-version", target_version),
        *("--select", ",".join(select)),
        *_keeping(select),
        *_without_links(root, paths),
        *options,
        "--",
        *paths,
    ]
    process = await asyncio.create_subprocess_exec(
        binary(),
        *arguments,
        cwd=root,
        env={"PATH": os.defpath, "NO_COLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise RuffFailed(err.decode(errors="replace").strip())
    return await asyncio.to_thread(_read, root, out, err.decode(errors="replace"))


def _keeping(select: Sequence[str]) -> tuple[str, ...]:
    """Options that keep ruff from calling a suppression unused because its rule was not looked for."""
    outside = rules_outside(binary(), tuple(select))
    return ("--config", f"lint.external = {json.dumps(outside)}") if outside else ()


def _without_links(root: Path, paths: Sequence[str]) -> tuple[str, ...]:
    """Options that keep ruff from files which are links; it enters no linked folder by itself."""
    links = [str(link) for path in paths for link in _links(root / path)]
    escaped = [re.sub(r"[*?\[{}\\]", lambda special: f"[{special.group()}]", link) for link in links]
    patterns = [re.sub(r"[\udc80-\udcff]+", "*", link) for link in escaped]  # bytes that are not UTF-8
    return ("--config", f"extend-exclude = {json.dumps(patterns, ensure_ascii=False)}") if patterns else ()


def _links(path: Path) -> Iterator[Path]:
    for folder, _, files in os.walk(path):
        for name in files:
            full = Path(folder, name)
            if full.is_symlink():
                yield full


def _read(root: Path, out: bytes, err: str) -> Report:
    diagnostics: list[Diagnostic] = []
    notes: set[str] = set()
    real: dict[str, bool] = {}
    for said in _DIAGNOSTICS.validate_json(out or b"[]"):
        path = Path(said.filename).relative_to(root).as_posix()
        if path not in real:
            real[path] = (root / path).is_file() and not (root / path).is_symlink()
        if not real[path]:
            notes.add(f"{path}: the name is not UTF-8, left out")
        elif said.code is None or said.code == "invalid-syntax":
            notes.add(f"{path}: line {said.location.row}: {said.message}")
        elif said.code == UNUSED_SUPPRESSION and "blanket" in said.message:
            continue  # it silences every tool, and only some of them were asked
        else:
            diagnostics.append(said.model_copy(update={"filename": path}))
    prefix = "warning: Failed to lint "
    notes.update(line.removeprefix(prefix) for line in err.splitlines() if line.startswith(prefix))
    return Report(diagnostics=tuple(diagnostics), notes=tuple(sorted(notes)))
