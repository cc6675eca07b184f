"""What the NATS server says of the streams and of what waits for each role."""

import asyncio

import orjson
from nats.aio.client import Client
from pydantic import ConfigDict

from events.rights import API, ROLES
from events.subjects import CLOSED, DEAD_LETTER_STREAM, DEAD_LETTERS, STREAM
from schemas.base import Frozen
from services.runtime.embedded.programs import configuration_folder

CLOSINGS = f"{DEAD_LETTERS}.{CLOSED}."


class _Said(Frozen):
    model_config = ConfigDict(extra="ignore")


class Queue(_Said):
    """A role's consumer: what it was not given yet, and what it was given and has not done."""

    num_pending: int
    num_ack_pending: int
    num_redelivered: int = 0


class State(_Said):
    """How much a stream holds."""

    messages: int
    bytes: int
    first_seq: int
    last_seq: int
    consumer_count: int = 0


class _Stream(_Said):
    state: State


class _Subjects(_Said):
    subjects: dict[str, int] | None = None


class _Letters(_Said):
    state: _Subjects


class LetterCounts(Frozen):
    """How many dead letters something was done about, and of how many nothing was."""

    open: int
    closed: int


def stream_names() -> tuple[str, ...]:
    """Return the names of the streams that are declared."""
    files = sorted((configuration_folder() / "streams").glob("*.json"))
    return tuple(str(orjson.loads(file.read_bytes())["name"]) for file in files)


async def streams(connection: Client) -> dict[str, State]:
    """Ask for every stream. Raises what a request raises, and ValidationError for a refusal."""
    names = stream_names()
    asked = (connection.request(f"{API}.STREAM.INFO.{name}", b"") for name in names)
    found = [_Stream.model_validate_json(answer.data) for answer in await asyncio.gather(*asked)]
    return {name: one.state for name, one in zip(names, found, strict=True)}


async def queues(connection: Client) -> dict[str, Queue]:
    """Ask for the consumer of every role. Raises as `streams` does."""
    asked = (connection.request(f"{API}.CONSUMER.INFO.{STREAM}.{role}", b"") for role in ROLES)
    found = [Queue.model_validate_json(answer.data) for answer in await asyncio.gather(*asked)]
    return dict(zip(ROLES, found, strict=True))


async def letter_counts(connection: Client) -> LetterCounts:
    """Count the dead letters. Raises as `streams` does.

    Letters and what was done about them are messages; of one that was closed twice there are two.
    """
    body = orjson.dumps({"subjects_filter": f"{DEAD_LETTERS}.>"})
    answer = await connection.request(f"{API}.STREAM.INFO.{DEAD_LETTER_STREAM}", body)
    subjects = _Letters.model_validate_json(answer.data).state.subjects or {}
    closed = {name: number for name, number in subjects.items() if name.startswith(CLOSINGS)}
    letters = sum(subjects.values()) - sum(closed.values())
    return LetterCounts(open=max(0, letters - len(closed)), closed=len(closed))
