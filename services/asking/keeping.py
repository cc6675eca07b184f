"""Keeps prompts, answers and transcripts: without secrets, and sealed for the improvement they belong to."""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import JsonValue

from schemas.artefacts import ArtefactRef
from services.asking.persisting import Persistence, until_taken
from services.asking.question import Mask
from services.engines.port import AnswerT, Task
from services.runtime.log import Log

LONG = 32 * 1024  # characters that take long enough to mask for others to notice
JSON = "application/json"
JSON_LINES = "application/jsonl"
DIFF = "text/x-diff"


async def without_secrets(text: str, mask: Mask) -> str:
    """Return a text masked; a long one in a thread of its own, so that leases are renewed meanwhile."""
    return mask(text) if len(text) < LONG else await asyncio.to_thread(mask, text)


@dataclass(frozen=True)
class Shelf:
    """Where content of one subject (`improvement/…`, `run/…`) is kept. Raises what `Log.keep` does."""

    book: Log
    mask: Mask
    subject: str
    persistence: Persistence

    async def prompt(self, run: str, task: Task[Any]) -> ArtefactRef:
        """Keep what is asked; the task is masked already."""
        body = orjson.dumps({"system": task.system, "prompt": task.prompt}, option=orjson.OPT_INDENT_2)
        return await self._keep(body, f"{run}.prompt.json", JSON)

    async def answer(self, run: str, value: AnswerT) -> ArtefactRef:
        """Keep an answer. A text that looks like a secret is masked in what is kept."""
        body = orjson.dumps(_masked(value.model_dump(mode="json"), self.mask))
        return await self._keep(body, f"{run}.answer.json", JSON)

    async def transcript(self, run: str, content: bytes) -> ArtefactRef | None:
        """Keep what the engine said on the way, if anything."""
        if not content:
            return None
        text = await without_secrets(content.decode("utf-8", "surrogateescape"), self.mask)
        body = text.encode("utf-8", "surrogateescape")
        return await self._keep(body, f"{run}.transcript.jsonl", JSON_LINES)

    async def patch(self, run: str, content: bytes) -> ArtefactRef:
        """Keep what a call left in its work tree, to the byte: it is to be applied again."""
        return await self._keep(content, f"{run}.patch", DIFF)

    async def _keep(self, body: bytes, name: str, media_type: str) -> ArtefactRef:
        return await until_taken(
            lambda: self.book.keep(body, name, media_type, sealed_for=self.subject), self.persistence
        )


def _masked(value: JsonValue, mask: Mask) -> JsonValue:
    match value:
        case str():
            return mask(value)
        case list():
            return [_masked(one, mask) for one in value]
        case dict():
            return {name: _masked(one, mask) for name, one in value.items()}
        case _:
            return value
