"""Writes the log into a file: every event byte for byte, with the signed heads and what proves them."""

import gzip
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from events.evidence.export import Closing, ExportWriter, Opening, Writable
from events.evidence.head_proof import by_others
from events.evidence.heads import Head, SigningKey
from events.jetstream.head_stream import published
from events.jetstream.moments import restored, stored_at
from events.jetstream.stream_reader import StreamReader
from events.subjects import STREAM
from services.cli.desk import LogDesk, at_log
from services.cli.history.watched import Advance, progress
from services.cli.session import Exit, Stop, print_json, say
from services.cycle.words import counted
from services.runtime.ground import now
from services.runtime.head_keys import earlier_keys, key_file, lost, own_key
from services.runtime.settings import Settings

STDIO = "-"
GZIP = ".gz"


async def export(settings: Settings, file: str, until: str, *, packed: bool, as_json: bool) -> None:
    """Write the log to a file, whole or not at all; 5 where the file is there already, 1 without its key."""
    refuse_existing(file)
    with draft(file, packed=packed or file.endswith(GZIP)) as out:
        async with at_log(settings) as desk:
            end = await end_of(desk, until)
            heads = [head for head in (await published(desk.connection))[0] if head.seq <= end]
            key = require_key(settings, heads)
            writer = ExportWriter(out, opening(settings, end, key), heads, key)
            with progress("exporting", end) as advance:
                await write_events(StreamReader(desk.connection, STREAM), writer, end, advance)
        closing = writer.close()
    tell(file, closing, heads, end, as_json=as_json)


def refuse_existing(file: str) -> None:
    """End the command with 5 rather than write over what somebody kept: before anything else runs."""
    path = Path(file)
    if file != STDIO and path.exists() and not path.is_dir():
        raise Stop(Exit.CONFLICT, f"{path} exists already; nothing is written over: name another file")


def require_key(settings: Settings, heads: Sequence[Head]) -> SigningKey:
    """Return the key of this system; end the command with 1 where it is not there: none is made to seal."""
    if key := own_key(settings):
        return key
    if strange := by_others(heads, earlier_keys(settings)):
        raise Stop(Exit.FAILED, f"nothing was written, and no key was made: {lost(settings, strange)}")
    raise Stop(
        Exit.FAILED,
        f"nothing was written: there is no key to seal it with ({key_file(settings.home)}, and no"
        " SECRET_KEY_BASE is set). Make it: aps events key --new",
    )


def opening(settings: Settings, end: int, key: SigningKey) -> Opening:
    """Return how an export up to `end` begins."""
    earlier = tuple(each.text for each in earlier_keys(settings))
    return Opening(end, key.public.text, now().isoformat(), earlier)


async def end_of(desk: LogDesk, until: str) -> int:
    """Return the sequence that `until` names, the head for none; ends the command with 3 before any."""
    end = await desk.seq_at(until)
    found = await desk.book.store.head() if end is None else end
    if not found:
        raise Stop(Exit.NOT_FOUND, f"there was no event yet at {until}" if until else "the log is empty")
    return found


async def write_events(reader: StreamReader, writer: ExportWriter, end: int, advance: Advance) -> None:
    """Write what the stream has up to a sequence, a page at a time."""
    known = await restored(reader)
    async for page in reader.pages(0, end):
        for stored in page:
            writer.event(stored.seq, stored.subject, stored_at(stored, known), stored.body)
        advance(writer.last)


@contextmanager
def draft(file: str, *, packed: bool, mode: int = 0o666) -> Iterator[Writable]:
    """Give what to write to; the file appears when the block ends well. `mode` is cut by the umask."""
    if file == STDIO:
        with _packed(sys.stdout.buffer, packed=packed) as out:
            yield out
        sys.stdout.buffer.flush()
        return
    path = Path(file)
    if not path.name or path.is_dir():
        raise Stop(Exit.USAGE, f"{path} is a folder; name a file")
    part = path.with_name(f"{path.name}.part")
    try:
        part.touch(mode)
        opened = part.open("wb")
    except OSError as problem:
        raise Stop(Exit.USAGE, f"{path.parent} cannot be written to: {problem.strerror}") from problem
    try:
        with opened, _packed(opened, packed=packed) as out:
            yield out
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _packed(out: Writable, *, packed: bool) -> Iterator[Writable]:
    if not packed:
        yield out
        return
    with gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=0) as pack:  # type: ignore[call-overload]  # it only writes
        yield pack


def tell(file: str, closing: Closing, heads: Sequence[Head], end: int, *, as_json: bool) -> None:
    """Say what was written; on stderr where the export itself went to stdout."""
    signed = max((head.seq for head in heads), default=0)
    if closing.events != end:
        missing = counted(end - closing.events, "event")
        say(f"missing from the log up to {end}: {missing}; see: aps events verify")
    if as_json and file != STDIO:
        says = {"file": file, "events": closing.events, "chain": closing.chain}
        print_json({**says, "heads": len(heads), "signed": signed, "key": closing.key})
    else:
        where = f" to {file}" if file != STDIO else ""
        said = f"{counted(closing.events, 'event')} and {counted(len(heads), 'signed head')} exported{where}"
        say(f"{said}, chain {closing.chain}, sealed with key {closing.key}")
