"""The import graph of a target's packages, and the C4 components a change touches."""

import asyncio
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import orjson

from schemas.improvement import Component

PROBE = Path(__file__).with_name("graph_probe.py")
PROBE_SECONDS = 60
NEIGHBOURS = 6


@dataclass(frozen=True)
class ImportGraph:
    """Which module imports which; `note` says why the graph is empty when it could not be read."""

    imports: Mapping[str, tuple[str, ...]]
    note: str = ""

    def importers(self, module: str) -> tuple[str, ...]:
        """Return the modules that import `module` directly, in order."""
        return tuple(sorted(m for m, imported in self.imports.items() if module in imported))


async def import_graph(tree: Path, packages: Sequence[str]) -> ImportGraph:
    """Read the graph of `packages` (paths relative to `tree`, such as `src/foo`) from their source."""
    folders = [PurePosixPath(p) for p in packages if (tree / p / "__init__.py").is_file()]
    if not folders:
        return ImportGraph({}, "there is no import package, only single modules")
    roots = sorted({str(tree / folder.parent) for folder in folders})
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROBE),
        ",".join(roots),
        ",".join(folder.name for folder in folders),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        env={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        out, problem = await asyncio.wait_for(process.communicate(), PROBE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return ImportGraph({}, f"reading the imports took more than {PROBE_SECONDS} s")
    if process.returncode:
        return ImportGraph({}, problem.decode(errors="replace").strip().splitlines()[-1][:300])
    return ImportGraph({module: tuple(imported) for module, imported in orjson.loads(out).items()})


def module_name(path: str, packages: Sequence[str]) -> str:
    """Return the dotted module of a source path, by the package it lies in; outside of one the path."""
    pure = PurePosixPath(path)
    for package in packages:
        folder = PurePosixPath(package)
        if pure == folder:
            return pure.stem
        if pure.is_relative_to(folder):
            parts = [folder.name, *pure.relative_to(folder).with_suffix("").parts]
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return str(pure)


def components(graph: ImportGraph, files: Sequence[str], packages: Sequence[str]) -> tuple[Component, ...]:
    """Return the touched modules and their nearest importers (at most `NEIGHBOURS` each), touched first."""
    touched = {module_name(path, packages): path for path in files}
    known: dict[str, Component] = {}
    for module, path in touched.items():
        known[module] = _component(graph, module, path, touched=True)
    for module in touched:
        for neighbour in graph.importers(module)[:NEIGHBOURS]:
            known.setdefault(neighbour, _component(graph, neighbour, "", touched=False))
    return tuple(known.values())


def _component(graph: ImportGraph, module: str, path: str, *, touched: bool) -> Component:
    return Component(
        module=module,
        path=path,
        touched=touched,
        fan_in=len(graph.importers(module)),
        imports=graph.imports.get(module, ()),
    )


def c4_view(title: str, system: str, parts: Sequence[Component], new: Collection[str] = ()) -> str:
    """Draw a C4 component view as Mermaid text; arrows are imports among the modules shown.

    `new` are the paths of those that are not there yet.
    """
    shown = {part.module: f"c{n}" for n, part in enumerate(parts)}
    lines = ["C4Component", f"title {_plain(title)}", f'Container_Boundary(system, "{_plain(system)}") {{']
    for part in parts:
        role = ("new" if part.path in new else "touched") if part.touched else "imports it"
        lines.append(
            f'  Component({shown[part.module]}, "{_plain(part.module)}", "Python module", '
            f'"{role}; imported by {part.fan_in}")'
        )
    lines.append("}")
    lines += [
        f'Rel({shown[part.module]}, {shown[other]}, "imports")'
        for part in parts
        for other in part.imports
        if other in shown
    ]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return text.replace('"', "'").replace("\n", " ")
