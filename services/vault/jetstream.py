"""Wrapped keys on the JetStream stream `KEYS`, which unlike the log can forget.

Rules
1. The stream takes one message for a subject and refuses a second: what is kept is never overwritten.
2. A subject's first key is taken only where nothing is kept of it, a record of deletion included; a key under
   one more root only where nothing changed since it was read.
3. Erasing overwrites the bytes on the disk, and only admin may do it. It goes by what the stream's leader
   says, and ends when that says that nothing is left.
"""

import asyncio
from typing import Any

import nats.errors
import orjson
from nats.aio.client import Client

from events.jetstream.committer import Committer, Refused, Uncertain
from events.jetstream.stream_reader import API, EXPECTED, Stored, StreamReader
from events.jetstream.wire import Message
from events.store import Denied, Unavailable
from events.subjects import KEY_STREAM, deleted_key, kept_keys, key_root, wrapped_key
from services.vault.keys import Deletion, Entry, WrappedKey

PAGE = 500
PAUSE_SECONDS = 0.1
ANSWER_SECONDS = 5.0
NOT_FOUND = 404
FILTER = f"{EXPECTED}-Subject"


class JetStreamKeyStore:
    """Keeps wrapped keys on the server; never closes the connection."""

    def __init__(self, connection: Client, *, patience: float = 10.0) -> None:
        """`patience` bounds in seconds how long each step is tried against an unwilling server."""
        self._connection = connection
        self._reader = StreamReader(connection, KEY_STREAM, patience)
        self._committer = Committer(connection)
        self._patience = patience

    async def roots(self) -> tuple[str, ...]:
        """Return the ids of all roots; see the port."""
        return tuple(subject.rpartition(".")[2] for subject in await self._subjects(key_root("*")))

    async def add_first_root(self, root: str) -> bool:
        """Take the first root; see the port."""
        return await self._put(key_root(root), b"{}", {EXPECTED: "0", FILTER: key_root("*")})

    async def add_root(self, root: str) -> None:
        """Take one more root; see the port."""
        await self._put(key_root(root), b"{}", {})

    async def erase_root(self, root: str) -> None:
        """Forget a root and its keys; see the port."""
        await self._erase(wrapped_key("*/*", root))
        await self._erase(key_root(root))

    async def add(self, key: WrappedKey) -> bool:
        """Keep the one key of a subject; see the port."""
        nothing_yet = {EXPECTED: "0", FILTER: kept_keys(key.subject)}
        return await self._put(wrapped_key(key.subject, key.root), _body(key), nothing_yet)

    async def add_under(self, key: WrappedKey) -> None:
        """Keep a key under one more root; see the port."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        while True:
            kept = await self._reader.lasts(kept_keys(key.subject))
            entry = _entry(key.subject, kept)
            if entry.deleted is not None or entry.under(key.root) is not None:
                return
            unchanged = {EXPECTED: str(max((s.seq for s in kept), default=0)), FILTER: kept_keys(key.subject)}
            if await self._put(wrapped_key(key.subject, key.root), _body(key), unchanged):
                return
            if clock() >= deadline:
                raise Unavailable(f"the key of {key.subject} was not taken")
            await asyncio.sleep(PAUSE_SECONDS)

    async def find(self, subject: str) -> Entry:
        """Return what is kept of a subject; see the port."""
        return _entry(subject, await self._reader.lasts(kept_keys(subject)))

    async def entries(self) -> list[Entry]:
        """Return what is kept of every subject; see the port."""
        found: dict[str, list[Stored]] = {}
        after = 0
        while page := await self._reader.page(after, PAGE):
            after = page[-1].seq
            for message in page:
                if subject := _subject_of(message.subject):
                    found.setdefault(subject, []).append(message)
        return [_entry(subject, found[subject]) for subject in sorted(found)]

    async def delete(self, deletion: Deletion) -> None:
        """Write the deletion down and erase; see the port."""
        await self._put(deleted_key(deletion.subject), deletion.model_dump_json().encode(), {})
        if not await self._subjects(deleted_key(deletion.subject)):
            raise Unavailable(
                f"the deletion of the key of {deletion.subject} was not taken; nothing was erased"
            )
        await self._erase(wrapped_key(deletion.subject, "*"))

    async def _put(self, subject: str, body: bytes, headers: dict[str, str]) -> bool:
        """Store one message; False when the stream refuses it, because there is one or something changed."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        while True:
            try:
                await self._committer.commit([Message(subject, body, headers)])
            except Uncertain as uncertain:
                stored = await self._reader.last(subject)
                if stored is not None and stored.body == body:
                    return True
                if isinstance(uncertain, Refused):
                    return False
                if clock() >= deadline:
                    raise Unavailable(f"{subject} was not taken: {uncertain}") from uncertain
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return True

    async def _erase(self, subjects: str) -> None:
        while found := await self._subjects(subjects):
            for subject in found:
                message = await self._ask("STREAM.MSG.GET", {"last_by_subj": subject})
                if message is not None:
                    await self._ask(
                        "STREAM.MSG.DELETE", {"seq": message["message"]["seq"], "no_erase": False}
                    )

    async def _subjects(self, filter: str) -> list[str]:
        """Return the subjects that hold a message now, as the leader says; the first 100,000 of them."""
        answer = await self._ask("STREAM.INFO", {"subjects_filter": filter})
        if answer is None:
            raise Unavailable(f"there is no stream {KEY_STREAM}; run: aps setup")
        return sorted(answer["state"].get("subjects") or ())

    async def _ask(self, what: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the server's answer, None where it does not have what was asked for."""
        complaint = self._connection.last_error
        subject = f"{API}.{what}.{KEY_STREAM}"
        try:
            answer = await self._connection.request(subject, orjson.dumps(body), timeout=ANSWER_SECONDS)
        except nats.errors.Error as problem:
            told = self._connection.last_error
            if told is not complaint and "permissions violation" in str(told).lower():
                raise Denied(
                    f"this user may not do that to {KEY_STREAM}: it needs admin's password"
                ) from problem
            raise Unavailable(f"{subject}: {problem or type(problem).__name__}") from problem
        found: dict[str, Any] = orjson.loads(answer.data)
        error = found.get("error")
        if error is None:
            return found
        if error["code"] == NOT_FOUND:
            return None
        raise Unavailable(f"{subject}: {error['description']}")


def _body(key: WrappedKey) -> bytes:
    return key.model_dump_json().encode()


def _subject_of(message: str) -> str | None:
    """Return whose key or deletion stands at a message's subject; None for a root."""
    parts = message.split(".")
    return f"{parts[2]}/{parts[3]}" if len(parts) > 4 else None


def _entry(subject: str, kept: list[Stored]) -> Entry:
    is_deletion = [message.subject == deleted_key(subject) for message in kept]
    keys = [m.body for m, deletion in zip(kept, is_deletion, strict=True) if not deletion]
    deletions = [m.body for m, deletion in zip(kept, is_deletion, strict=True) if deletion]
    return Entry(
        subject=subject,
        keys=tuple(WrappedKey.model_validate_json(body) for body in keys),
        deleted=Deletion.model_validate_json(deletions[0]) if deletions else None,
    )
