"""Streams and durable consumers as files declare them: created when missing, compared when there.

Rules
1. Requests are raw JSON with `pedantic`: the server refuses what it would otherwise change silently.
2. What stands is compared with what is declared, field by field. A difference is a `Drift`; it is put
   right only by `update`, and never by deleting.
3. The declared number of replicas is that of one server; `replicas` says how many a stream is to have.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats.errors
import orjson
from nats.aio.client import Client

from events.store import Unavailable

API = "$JS.API"
ANSWER_SECONDS = 15.0  # a cluster that lost a leader has another within some seconds
TRY_SECONDS = 2.5  # what was asked while there was none is never answered
PAUSE_SECONDS = 0.2
NOT_FOUND = 404
OURS = "aps."


@dataclass(frozen=True)
class Drift:
    """A setting that stands otherwise than declared; `found` is None where it is not there at all."""

    where: str
    field: str
    declared: object
    found: object


@dataclass(frozen=True)
class Declared:
    """One file: what it declares, and the requests that look for it, create it and change it."""

    where: str
    config: dict[str, Any]
    info: str
    create: str
    update: str
    create_body: dict[str, Any]
    update_body: dict[str, Any]


def declared(folder: Path, replicas: int = 1) -> list[Declared]:
    """Read `folder`/streams and `folder`/consumers; streams come first."""
    streams = [_stream(orjson.loads(file.read_bytes()), replicas) for file in _files(folder / "streams")]
    consumers = [_consumer(orjson.loads(file.read_bytes())) for file in _files(folder / "consumers")]
    return streams + consumers


async def declare(
    connection: Client, folder: Path, replicas: int = 1, *, update: bool = False
) -> list[Drift]:
    """Create what is missing, as admin; return what stands otherwise (after putting it right on `update`)."""
    drifts: list[Drift] = []
    for part in declared(folder, replicas):
        found = await _found(connection, part)
        if found is None:
            await _request(connection, part.create, part.create_body)
            found = await _found(connection, part)
        if update and _differences(part, found):
            noted = {"metadata": _noted(found)} if found and _noted(found) else {}
            await _request(connection, part.update, {**part.update_body, **noted})
            found = await _found(connection, part)
        drifts += _differences(part, found)
    return drifts


async def note(connection: Client, stream: str, key: str, text: str) -> None:
    """Write into a stream's metadata, as admin; the settings stay as they stand."""
    answer = await _ask(connection, f"{API}.STREAM.INFO.{stream}", b"")
    if error := answer.get("error"):
        raise Unavailable(f"stream {stream}: {error['description']}")
    config = answer["config"]
    body = {**config, "metadata": {**_noted(config), key: text}, "pedantic": True}
    await _request(connection, f"{API}.STREAM.UPDATE.{stream}", body)


async def compare(connection: Client, folder: Path, replicas: int = 1) -> list[Drift]:
    """Return what stands otherwise than declared; a missing stream or consumer is one drift."""
    return [
        drift
        for part in declared(folder, replicas)
        for drift in _differences(part, await _found(connection, part))
    ]


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.json"))
    if not files:
        raise FileNotFoundError(f"no declarations in {folder}")
    return files


def _stream(config: dict[str, Any], replicas: int) -> Declared:
    name = config["name"]
    config = {**config, "num_replicas": replicas}
    body = {**config, "pedantic": True}
    return Declared(
        where=f"stream {name}",
        config=config,
        info=f"{API}.STREAM.INFO.{name}",
        create=f"{API}.STREAM.CREATE.{name}",
        update=f"{API}.STREAM.UPDATE.{name}",
        create_body=body,
        update_body=body,
    )


def _consumer(file: dict[str, Any]) -> Declared:
    stream, config = file["stream_name"], file["config"]
    name = config["durable_name"]
    create = f"{API}.CONSUMER.CREATE.{stream}.{name}"
    body = {**file, "pedantic": True}
    return Declared(
        where=f"consumer {name}",
        config=config,
        info=f"{API}.CONSUMER.INFO.{stream}.{name}",
        create=create,
        update=create,
        create_body={**body, "action": "create"},
        update_body={**body, "action": "update"},
    )


async def _found(connection: Client, part: Declared) -> dict[str, Any] | None:
    answer = await _ask(connection, part.info, b"")
    error = answer.get("error")
    if error is None:
        config: dict[str, Any] = answer["config"]
        return config
    if error["code"] == NOT_FOUND:
        return None
    raise Unavailable(f"{part.where}: {error['description']}")


def _noted(config: dict[str, Any]) -> dict[str, str]:
    """Return the metadata that are ours: an update without them would take them away."""
    return {k: v for k, v in (config.get("metadata") or {}).items() if k.startswith(OURS)}


def _differences(part: Declared, found: dict[str, Any] | None) -> list[Drift]:
    if found is None:
        return [Drift(part.where, "existence", "declared", None)]
    # the server leaves out what is zero, false or empty
    return [
        Drift(part.where, field, wanted, found.get(field))
        for field, wanted in part.config.items()
        if found.get(field) != wanted and (wanted or found.get(field))
    ]


async def _request(connection: Client, subject: str, body: dict[str, Any]) -> None:
    answer = await _ask(connection, subject, orjson.dumps(body))
    if error := answer.get("error"):
        raise Unavailable(f"{subject}: {error['description']}")


async def _ask(connection: Client, subject: str, body: bytes) -> dict[str, Any]:
    """Ask until there is an answer: each of these requests may be repeated."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + ANSWER_SECONDS
    while True:
        try:
            answer = await connection.request(subject, body, timeout=TRY_SECONDS)
        except nats.errors.Error as problem:
            if connection.is_closed or clock() >= deadline:
                raise Unavailable(f"{subject}: {problem or type(problem).__name__}") from problem
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            found: dict[str, Any] = orjson.loads(answer.data)
            return found
