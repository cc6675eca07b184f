"""Tells a cycle with the content its events name, so that two of them can be compared."""

from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from events.store import Recorded
from schemas.artefacts import ArtefactRef
from services.forking.cycles import Cycle
from services.forking.likeness import Told
from services.runtime.log import Log

GONE = "(not in the store)"


async def told(book: Log, cycle: Cycle, folders: Mapping[str, str]) -> list[Told]:
    """Return the events of a cycle; `folders` are written in content by the names that they stand for.

    Raises what `Log.fetch` does where a key is gone.
    """
    return [await _told(book, event, folders) for event in cycle.events]


async def _told(book: Log, event: Recorded, folders: Mapping[str, str]) -> Told:
    envelope = event.envelope
    data = {name: await _with_content(book, value, folders) for name, value in envelope.data.items()}
    at = envelope.address
    return Told(event.seq, at.aggregate, at.id, at.fact, envelope.actor.partition("@")[0], data)


async def _with_content(book: Log, value: JsonValue, folders: Mapping[str, str]) -> JsonValue:
    match value:
        case dict() if "sha256" in value and "media_type" in value:
            return await _content(book, value, folders)
        case dict():
            return {name: await _with_content(book, one, folders) for name, one in value.items()}
        case list():
            return [await _with_content(book, one, folders) for one in value]
        case str():
            return _placed(value, folders)
        case _:
            return value


async def _content(book: Log, value: Mapping[str, JsonValue], folders: Mapping[str, str]) -> JsonValue:
    try:
        ref = ArtefactRef.model_validate(value)
        content = (await book.fetch(ref)).decode("utf-8", "surrogateescape")
    except ValidationError:
        return dict(value)
    except KeyError:
        content = GONE
    return {
        "name": ref.name,
        "media_type": ref.media_type,
        "sealed_for": ref.sealed_for,
        "content": _placed(content, folders),
    }


def _placed(text: str, folders: Mapping[str, str]) -> str:
    for folder, name in folders.items():
        text = text.replace(folder, name)
    return text
