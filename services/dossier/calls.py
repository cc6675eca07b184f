"""What was asked of an engine in one call, what it answered and what it said on the way."""

from collections.abc import Sequence
from dataclasses import dataclass

from events.catalogue import read_fact
from events.fact import Fact
from events.run import RUN, Completed, Metered, Requested
from events.store import Recorded
from schemas.artefacts import ArtefactRef
from services.dossier.shelf import Shelf
from services.runtime.log import Log


@dataclass(frozen=True)
class Content:
    """What was asked, answered and said on the way; empty where nothing is kept."""

    prompt: str = ""
    answer: str = ""
    transcript: str = ""


async def facts_of(book: Log, id: str) -> list[tuple[Recorded, Fact]]:
    """Return the events of a call with their facts, oldest first; none where there is no such call."""
    recorded, _ = await book.store.read(RUN.name, id)
    return [(event, read_fact(event.envelope)) for event in recorded]


async def content_of(shelf: Shelf, facts: Sequence[Fact], *, transcript: bool) -> Content:
    """Read what is kept of a call; what cannot be read is empty, and `shelf.missing` says why."""
    found = dict[str, ArtefactRef | None]()
    for fact in facts:
        if isinstance(fact, Requested):
            found["prompt"] = fact.prompt
        if isinstance(fact, Completed):
            found["answer"] = fact.answer
        if isinstance(fact, Metered) and transcript:
            found["transcript"] = fact.transcript
    return Content(**{name: await shelf.text(ref) for name, ref in found.items() if ref is not None})


def suspicions(facts: Sequence[Fact]) -> list[str]:
    """Return what was found in the prompt and in what the engine read, each with its place."""
    told = [line for fact in facts if isinstance(fact, Requested | Metered) for line in fact.suspicions]
    return list(dict.fromkeys(told))
