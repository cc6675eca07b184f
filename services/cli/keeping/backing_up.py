"""Writes one archive of all there is to keep, and proves it before it counts.

Rules
1. It is an exported log with more lines, packed: `aps events verify` proves it like any export.
2. The log's end is fixed first and artefacts are read after that: whatever an event names is there.
3. An archive that does not prove sound is not left behind, and none is ever written over.
4. It is sealed with the key that is there: none is made for it, neither here nor by who signs the last head.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from nats.aio.client import Client

from events.envelope import Unreadable
from events.evidence.archive import Message, chunk_at
from events.evidence.export import ExportWriter
from events.evidence.heads import PublicKey, SigningKey
from events.jetstream.head_stream import published
from events.jetstream.stream_reader import Stored, StreamReader
from events.subjects import ARTEFACT_STREAM, DEAD_LETTER_STREAM, KEY_STREAM, STREAM, TELEMETRY_STREAM
from services.cli.desk import at_log, at_views
from services.cli.history.exporting import (
    draft,
    end_of,
    opening,
    refuse_existing,
    require_key,
    write_events,
)
from services.cli.history.proving_file import lines_of, prove_lines
from services.cli.history.telling import told
from services.cli.history.watched import progress
from services.cli.keeping.kept import key_files, settings_kept
from services.cli.session import Exit, Stop, print_json, say
from services.cycle.words import counted
from services.projector.signing import signer
from services.runtime.head_keys import own_key
from services.runtime.settings import Settings
from services.steering.letters import dropped_at

OWNER_ONLY = 0o600
OWN_HEADERS = ("Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending")


@dataclass(frozen=True)
class Written:
    """What an archive holds."""

    file: str
    events: int
    heads: int
    artefacts: int
    messages: int
    chain: str
    key: str
    bytes: int


async def backup(settings: Settings, file: str, *, with_keys: bool, as_json: bool) -> None:
    """Write an archive and prove it; ends the command with 1 when what is there is not sound."""
    path = Path(file)
    refuse_existing(file)
    with draft(file, packed=True, mode=OWNER_ONLY) as out:
        key = own_key(settings) or await _missing_key(settings)
        async with at_views(settings) as desk:
            await signer(settings, desk.pool, desk.connection).sign()
            end = await end_of(desk, "")
            heads, _ = await published(desk.connection)
            counting = [head for head in heads if head.seq <= end]
            writer = ExportWriter(out, opening(settings, end, key), counting, key)
            await _others(desk.connection, writer, settings, with_keys=with_keys)
            with progress("the log", end) as advance:
                await write_events(StreamReader(desk.connection, STREAM), writer, end, advance)
        writer.close()
    written = _proven(path, len(heads), key.public)
    if as_json:
        print_json(written)
    else:
        secret = "; it holds keys: keep it where nobody else reads it" if with_keys else ""
        log = f"events {written.events}, signed heads {written.heads}"
        beside = f"artefacts {written.artefacts}, other messages {written.messages}"
        print(f"{file}: {log}, {beside}, bytes {written.bytes}: proven{secret}")


async def _missing_key(settings: Settings) -> SigningKey:
    """End the command with 1, naming the key that is not there, and with 3 where the log is empty."""
    async with at_log(settings) as desk:
        await end_of(desk, "")
        return require_key(settings, (await published(desk.connection))[0])


def _kept(stream: str, stored: Stored) -> dict[str, str]:
    """Return the headers of a message that are not the server's, and when a letter was dropped."""
    headers = {n: v for n, v in stored.headers.items() if n not in OWN_HEADERS}
    return headers | (dropped_at(stored.headers) if stream == DEAD_LETTER_STREAM else {})


async def _others(connection: Client, writer: ExportWriter, settings: Settings, *, with_keys: bool) -> None:
    for setting in settings_kept(settings):
        writer.write(setting.line())
    streams = [DEAD_LETTER_STREAM, TELEMETRY_STREAM]
    if with_keys:
        streams.append(KEY_STREAM)
        for one in key_files(settings.home):
            writer.write(one.line())
    for stream in streams:
        async for stored in messages(connection, stream):
            message = Message(stream, stored.seq, stored.subject, _kept(stream, stored), stored.body)
            writer.write(message.line())
    end = await StreamReader(connection, ARTEFACT_STREAM).head()
    with progress("artefacts", end) as advance:
        async for stored in messages(connection, ARTEFACT_STREAM):
            try:
                writer.write(chunk_at(stored.subject, stored.body).line())
            except Unreadable as problem:
                say(f"left out: {problem}")
            advance(stored.seq)


async def messages(connection: Client, stream: str) -> AsyncIterator[Stored]:
    """Yield what a stream has now, in order."""
    reader = StreamReader(connection, stream)
    async for page in reader.pages(0, await reader.head()):
        for stored in page:
            yield stored


def _proven(path: Path, heads: int, key: PublicKey) -> Written:
    with lines_of(str(path), "proving the archive") as lines:
        proof, reading = prove_lines(lines, [key])
    if not proof.sound:
        path.unlink()
        for fault in proof.faults:
            say(told(fault))
        sound = "what is there is not sound, so no archive was written"
        raise Stop(Exit.FAILED, f"{counted(len(proof.faults), 'fault')}: {sound}. See: aps events verify")
    closing = reading.closing
    return Written(
        str(path),
        reading.events,
        heads,
        reading.artefacts,
        reading.messages,
        closing.chain if closing else "",
        key.id,
        path.stat().st_size,
    )
