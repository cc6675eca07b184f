"""One JetStream stream as the recorders need it: declared, and read directly by many subjects at once.

A stream of theirs is written once and never altered: deny delete, deny purge, nothing discarded.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import nats.errors
import orjson
from eventsourcing.persistence import OperationalError, ProgrammingError
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.jetstream.stream_reader import PAGE, PAGE_BYTES, Stored

API = "$JS.API"
ANSWER_SECONDS = 2.0
MAX_BATCH = 1000  # the server's limit on one atomic batch
NO_SUCH_STREAM = 10059
EXISTS_OTHERWISE = 10058
ENDED, NOTHING, TOO_MANY = "204", "404", "413"

Failures = (nats.errors.Error, TimeoutError)
Json = dict[str, Any]  # a request or an answer of the server, read here and nowhere else


class TooMany(Exception):  # noqa: N818 -- what happened
    """More subjects match than the server answers at once."""


@dataclass(frozen=True)
class State:
    """What the server tells of a stream: its last sequence and, where asked for, its subjects."""

    last_seq: int
    subjects: tuple[str, ...]


class Stream:
    """Requests about one stream. The connection stays the caller's."""

    def __init__(self, connection: Client, name: str) -> None:
        """`name` is the stream's."""
        self._connection = connection
        self._direct = f"{API}.DIRECT.GET.{name}"
        self.name = name

    @property
    def max_payload(self) -> int:
        """The most bytes that one message may have."""
        return int(self._connection.max_payload)

    async def create(self, config: Json) -> None:
        """Create the stream; without effect where it stands as declared. Raises `ProgrammingError`."""
        answer = await self._ask(f"{API}.STREAM.CREATE.{self.name}", {**config, "pedantic": True})
        if (error := _error(answer)) is None:
            return
        if error[0] == EXISTS_OTHERWISE:
            raise ProgrammingError(f"stream {self.name} stands with other settings than a recorder declares")
        raise OperationalError(f"stream {self.name} cannot be created: {error[1]}")

    async def last_seq(self) -> int:
        """Return the sequence of the last message, 0 when there is none."""
        return (await self._state({})).last_seq

    async def subjects(self, wildcard: str) -> list[str]:
        """Return the subjects under `wildcard` that hold messages."""
        found: list[str] = []
        while True:
            page = (await self._state({"subjects_filter": wildcard, "offset": len(found)})).subjects
            if not page:
                return found
            found += page

    async def last(self, subject: str) -> Stored | None:
        """Return the last message on `subject`."""
        answer = await self._request(self._direct, {"last_by_subj": subject})
        return None if _status(answer) else _stored(answer)

    async def lasts(self, subjects: Sequence[str]) -> list[Stored]:
        """Return the last message of each subject, which may hold wildcards. Raises `TooMany`."""
        body: Json = {"multi_last": list(subjects), "max_bytes": PAGE_BYTES}
        found: list[Stored] = []
        while True:
            part, ended = await self._many(body)
            found += part
            headers = ended.headers or {}
            if not part or int(headers.get("Nats-Num-Pending", 0)) == 0:
                return found
            body |= {"seq": part[-1].seq + 1, "up_to_seq": int(headers["Nats-UpTo-Sequence"])}

    async def page(self, after: int, limit: int) -> list[Stored]:
        """Return up to `limit` messages after a sequence, in order; fewer does not mean the end."""
        wanted = {"seq": after + 1, "batch": min(limit, PAGE), "max_bytes": PAGE_BYTES, "next_by_subj": ">"}
        return (await self._many(wanted))[0]

    async def _many(self, body: Json) -> tuple[list[Stored], Msg]:
        found: list[Stored] = []
        ended: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

        async def receive(message: Msg) -> None:
            if not _status(message):
                found.append(_stored(message))
            elif not ended.done():
                ended.set_result(message)

        inbox = self._connection.new_inbox()
        subscription = await self._connection.subscribe(inbox, cb=receive)
        try:
            await self._connection.publish(self._direct, orjson.dumps(body), reply=inbox)
            end = await asyncio.wait_for(ended, ANSWER_SECONDS)
        finally:
            if not self._connection.is_closed:
                await subscription.unsubscribe()
        if _status(end) == TOO_MANY:
            raise TooMany
        if _status(end) not in (ENDED, NOTHING):
            raise nats.errors.Error(f"direct get: status {_status(end)}")
        return found, end

    async def _state(self, body: Json) -> State:
        answer = await self._ask(f"{API}.STREAM.INFO.{self.name}", body)
        if (error := _error(answer)) is None:
            state = answer["state"]
            return State(int(state["last_seq"]), tuple(state.get("subjects") or ()))
        if error[0] == NO_SUCH_STREAM:
            raise ProgrammingError(f"there is no stream {self.name}")
        raise OperationalError(f"stream {self.name}: {error[1]}")

    async def _ask(self, subject: str, body: Json) -> Json:
        answer: Json = orjson.loads((await self._request(subject, body)).data)
        return answer

    async def _request(self, subject: str, body: Json) -> Msg:
        return await self._connection.request(subject, orjson.dumps(body), timeout=ANSWER_SECONDS)


def _error(answer: Json) -> tuple[int, str] | None:
    error = answer.get("error")
    return (int(error.get("err_code", 0)), str(error["description"])) if isinstance(error, dict) else None


def _status(message: Msg) -> str:
    return (message.headers or {}).get("Status", "")


def _stored(message: Msg) -> Stored:
    headers = message.headers or {}
    return Stored(int(headers["Nats-Sequence"]), headers["Nats-Subject"], message.data, headers)
