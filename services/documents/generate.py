"""Writes what is generated: the JSON Schemas under `schemas/json/` and the page `docs/aps.md`.

`python -m services.documents.generate` writes; with `--check` it changes nothing, lists the files that
differ, are missing or are left over, and exits with 1 when there is one.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from events.catalogue import FACTS
from services.documents.page import page
from services.documents.strict import document_schema

ROOT = Path(__file__).parents[2]
EVENTS = Path("schemas/json/events")
SUFFIX = ".schema.json"


def generated() -> dict[Path, str]:
    """Return the content of every generated file by its path from the root."""
    files = {
        Path("schemas/json/aps.schema.json"): _json(document_schema()),
        Path("docs/aps.md"): page(),
    }
    for kind, fact in FACTS.items():
        head = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:{kind.replace('.', ':')}",
        }
        files[EVENTS / f"{kind}{SUFFIX}"] = _json({**head, **fact.model_json_schema(), "title": kind})
    return files


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def left_over(root: Path) -> tuple[Path, ...]:
    """Return schemas of events that are no longer in the catalogue."""
    known = generated()
    found = sorted(path.relative_to(root) for path in (root / EVENTS).glob(f"*{SUFFIX}"))
    return tuple(path for path in found if path not in known)


def differing(root: Path) -> tuple[Path, ...]:
    """Return the generated files under `root` that are missing, differ or are left over."""
    changed = [path for path, text in generated().items() if _content(root / path) != text]
    return (*changed, *left_over(root))


def _content(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write, or with `--check` compare; return the exit code."""
    if tuple(arguments) not in ((), ("--check",)):
        sys.stderr.write("usage: python -m services.documents.generate [--check]\n")
        return 2
    changed = differing(root)
    if arguments:
        sys.stdout.writelines(f"{path} is out of date\n" for path in changed)
        return 1 if changed else 0
    for path in left_over(root):
        (root / path).unlink()
    for path, text in generated().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
