"""Writes what is generated: the schemas under `schemas/json/` and the page `docs/aps.md`.

`python -m services.documents.generate` writes; with `--check` it changes nothing, lists the files that
differ or are missing, and exits with 1 when there is one. It never writes over the published schema of
an event what would make stored events unreadable: it says what is wrong and exits with 1.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from events.catalogue import VOCABULARY
from events.upcasting import Vocabulary
from services.documents import asyncapi
from services.documents.event_schemas import event_schema
from services.documents.page import page
from services.documents.published import ADVICE, event_file, unreadable
from services.documents.strict import document_schema

ROOT = Path(__file__).parents[2]
CONSUMERS = ROOT / "nats/consumers"


def generated(vocabulary: Vocabulary = VOCABULARY) -> dict[Path, str]:
    """Return the content of every generated file by its path from the root."""
    return {
        Path("schemas/json/aps.schema.json"): _json(document_schema()),
        Path("schemas/json/asyncapi.json"): _json(asyncapi.document(vocabulary, CONSUMERS)),
        Path("docs/aps.md"): page(),
        **{event_file(kind): _json(event_schema(kind, fact)) for kind, fact in vocabulary.current.items()},
    }


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def differing(root: Path, vocabulary: Vocabulary = VOCABULARY) -> tuple[Path, ...]:
    """Return the generated files under `root` that are missing or differ."""
    return tuple(path for path, text in generated(vocabulary).items() if _content(root / path) != text)


def _content(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def main(arguments: Sequence[str], root: Path = ROOT, vocabulary: Vocabulary = VOCABULARY) -> int:
    """Write, or with `--check` compare; return the exit code."""
    if tuple(arguments) not in ((), ("--check",)):
        sys.stderr.write("usage: python -m services.documents.generate [--check]\n")
        return 2
    broken = tuple(unreadable(root, vocabulary))
    if broken:
        sys.stdout.writelines(f"{what}\n" for what in (*broken, ADVICE.rstrip("\n")))
        return 1
    if arguments:
        changed = differing(root, vocabulary)
        sys.stdout.writelines(f"{path} is out of date\n" for path in changed)
        return 1 if changed else 0
    for path, text in generated(vocabulary).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
