"""Writes the log as JSON lines: `seq`, `until` (where the whole export ends), `chain` and `event`."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from events.envelope import NO_HASH
from events.store import EventStore
from events.verify import exported, extend
from services.cli.desk import LogDesk, at_log
from services.cli.history.proving import STDIO
from services.cli.session import Exit, Stop, print_json, say, words
from services.runtime.settings import Settings


async def export(settings: Settings, file: str, until: str, *, as_json: bool) -> None:
    """Write the log to a file, whole or not at all."""
    path = Path(file)
    if file != STDIO and (not path.name or path.is_dir()):  # noqa: ASYNC240 -- before anything else runs
        raise Stop(Exit.USAGE, f"{path} is a folder; name a file")
    async with at_log(settings) as desk:
        end = await end_of(desk, until)
        with words.status("exporting") if words.is_terminal else nullcontext():
            if file == STDIO:
                chain = await write_lines(desk.book.store, end, sys.stdout.buffer)
            else:
                chain = await _write_file(desk.book.store, end, path)
    if as_json and file != STDIO:
        print_json({"file": file, "events": end, "chain": chain})
    else:
        say(f"{end} events exported{f' to {file}' if file != STDIO else ''}, chain {chain}")


async def end_of(desk: LogDesk, until: str) -> int:
    """Return the sequence that `until` names, the head for none; ends the command with 3 before any."""
    end = await desk.seq_at(until)
    found = await desk.book.store.head() if end is None else end
    if not found:
        raise Stop(Exit.NOT_FOUND, f"there was no event yet at {until}" if until else "the log is empty")
    return found


async def _write_file(store: EventStore, end: int, path: Path) -> str:
    draft = path.with_name(f"{path.name}.part")
    with _created(draft) as out:
        try:
            chain = await write_lines(store, end, out)
            draft.replace(path)
        except OSError as problem:
            raise Stop(Exit.FAILED, f"{path} cannot be written: {problem.strerror}") from problem
        finally:
            draft.unlink(missing_ok=True)
    return chain


def _created(draft: Path) -> BinaryIO:
    try:
        return draft.open("wb")
    except OSError as problem:
        raise Stop(Exit.USAGE, f"{draft.parent} cannot be written to: {problem.strerror}") from problem


async def write_lines(store: EventStore, end: int, out: BinaryIO) -> str:
    """Write the log up to a sequence, a line for each event; return the chain over it."""
    chain = NO_HASH
    extent = b'{"until":%d,' % end
    async for event in store.read_all(0, end):
        out.writelines(extent + line[1:] + b"\n" for line in exported((event,), chain))
        chain = extend(chain, event)
    out.flush()
    return chain
