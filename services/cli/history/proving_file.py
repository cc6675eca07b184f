"""Proves an exported log or a backup by itself, without servers, settings or a data folder."""

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from events.evidence.heads import PublicKey
from events.evidence.verify import LOG, Fault
from events.evidence.verify_export import ExportProof, NoExport
from services.cli.history.exporting import STDIO
from services.cli.history.telling import Proof, in_order, tell
from services.cli.history.watched import Advance, progress
from services.cli.session import Exit, Stop

PAGE = 1000
GZIP_MAGIC = b"\x1f\x8b"


def prove_file(file: str, keys: Sequence[PublicKey], *, as_json: bool) -> None:
    """Prove an exported log; ends the command with 1 when something is wrong, 2 for none, 3 for no file."""
    with lines_of(file, "proving the export") as lines:
        proof, _ = prove_lines(lines, keys)
    tell(file, proof, as_json=as_json)


def prove_lines(lines: Iterable[bytes], keys: Sequence[PublicKey] = ()) -> tuple[Proof, ExportProof]:
    """Prove the lines of an exported log. Raises `NoExport`."""
    reading = ExportProof(keys)
    broken: list[Fault] = []
    try:
        faults = [*reading.read(_readable(lines, broken))]
    except NoExport:
        if not broken:
            raise
        faults = []
    proof = Proof(
        reading.events,
        in_order([*faults, *broken]),
        reading.signed,
        reading.trusted[0].id if reading.trusted else "",
        tuple(_notes(reading)),
        reading.unreadable,
    )
    return proof, reading


def _notes(reading: ExportProof) -> Iterator[str]:
    if reading.trusts_inside:
        yield (
            f"proven with the key inside the file, {reading.trusted[0].text}:"
            " give the one you trust with --key to prove who made it"
        )


@contextmanager
def lines_of(file: str, doing: str) -> Iterator[Iterator[bytes]]:
    """Give the lines of an exported log, unpacked where it is packed, with a bar on a terminal.

    Where the block finds that it is none, the command ends with 2.
    """
    try:
        with _lines_of(file, doing) as lines:
            yield lines
    except NoExport as none:
        raise Stop(Exit.USAGE, f"{'stdin' if file == STDIO else file} {none}") from none


@contextmanager
def _lines_of(file: str, doing: str) -> Iterator[Iterator[bytes]]:
    if file == STDIO:
        yield iter(_unpacked(sys.stdin.buffer))
        return
    path = Path(file)
    with _opened(path) as raw, progress(doing, path.stat().st_size) as advance:
        yield _watched(raw, _unpacked(raw), advance)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise Stop(Exit.NOT_FOUND, f"there is no file {path}") from None
    except OSError as problem:
        raise Stop(Exit.USAGE, f"{path} cannot be read: {problem.strerror}") from problem


def _unpacked(raw: BinaryIO) -> Iterable[bytes]:
    """Return the lines of a stream; a first look tells whether it is packed."""
    start = raw.peek(2)[:2] if hasattr(raw, "peek") else b""
    return gzip.GzipFile(fileobj=raw, mode="rb") if start == GZIP_MAGIC else raw


def _watched(raw: BinaryIO, lines: Iterable[bytes], advance: Advance) -> Iterator[bytes]:
    for number, line in enumerate(lines, start=1):
        yield line
        if number % PAGE == 0:
            advance(raw.tell())


def _readable(lines: Iterable[bytes], broken: list[Fault]) -> Iterator[bytes]:
    """Yield lines up to where a packed file is damaged."""
    try:
        yield from lines
    except (EOFError, OSError, ValueError, zlib.error) as problem:
        broken.append(Fault(0, LOG, f"the file cannot be unpacked further: {problem}"))
