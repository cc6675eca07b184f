"""Holds the schemas of events to those that were published: what stands on a log must stay readable.

Rules
1. The file of a version that is no longer written stays as it is, for ever.
2. The file of the version written today follows its model, as long as nothing stored becomes unreadable.
3. A fact that was published stays in the vocabulary, also when nobody records it any more.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from events.upcasting import VERSION, Vocabulary
from services.documents.breaking import breaches
from services.documents.event_schemas import event_schema

FOLDER = Path("schemas/json/events")
SUFFIX = ".json"

ADVICE = """
Such events stand on logs and are kept for ever. Either undo the change, or make it a new version:
raise `version` of the fact, write the upcast in events/upcasting.py, run
`python -m services.documents.generate`, tell the fact in tests/golden_story.py and add the next golden
history by `python -m tests.golden_history`.
"""


def event_file(kind: str) -> Path:
    """Return where the schema of events of type `kind` stands, from the root."""
    return FOLDER / f"{kind}{SUFFIX}"


def unreadable(root: Path, vocabulary: Vocabulary) -> Iterator[str]:
    """Yield what `vocabulary` cannot read any more of the events whose schemas stand under `root`."""
    for path in sorted((root / FOLDER).glob(f"*{SUFFIX}")):
        kind = path.name.removesuffix(SUFFIX)
        name, _, suffix = kind.rpartition(".")
        fact, version = vocabulary.facts.get(name), VERSION.fullmatch(suffix)
        if fact is None or version is None:
            yield f"{kind}: no fact of the vocabulary is called so any more"
        elif int(version[1]) > fact.version:
            yield f"{kind}: {fact.__name__} went back to version {fact.version}"
        elif int(version[1]) == fact.version:
            old = json.loads(path.read_text("utf-8"))
            for breach in breaches(old, event_schema(kind, fact)):
                yield f"{kind}: {breach.at or 'the event'} {breach.what}"
