"""Exports improvements as APS documents, and checks documents."""

import asyncio
import sys
from pathlib import Path

import yaml

from events.improvement import IMPROVEMENT
from services.cli.decisions.board import improvement
from services.cli.desk import at_views
from services.cli.session import Exit, Stop, print_json, say
from services.cycle.text import plain_text
from services.documents.export import process_document
from services.documents.reading import Reading, Unprocessable, read
from services.documents.tree import MAX_BYTES
from services.dossier.shelf import Shelf
from services.runtime.settings import Settings

STDIO = "-"


async def export(settings: Settings, id: str, output: str, *, as_json: bool) -> None:
    """Write the document of an improvement's whole process, as YAML or as the same in JSON."""
    async with at_views(settings) as desk:
        await improvement(desk, id)
        timeline, _ = await desk.book.store.read(IMPROVEMENT.name, id)
        state = await desk.book.state(IMPROVEMENT, id)
        shelf = Shelf(desk.book)
        feature = await shelf.text(state.requirements.feature if state.requirements else None)
    if shelf.missing:
        raise Stop(Exit.FAILED, f"the document would not be whole: {'; '.join(shelf.missing)}")
    text = process_document(id, state, timeline, feature)
    if output != STDIO:
        try:
            await asyncio.to_thread(Path(output).write_text, text, "utf-8")
        except OSError as problem:
            raise Stop(Exit.USAGE, f"{output} cannot be written: {problem.strerror}") from problem
        say(f"written to {output}")
    if as_json:
        print_json(yaml.safe_load(text))
    elif output == STDIO:
        sys.stdout.write(text)


def validate(file: str, *, as_json: bool) -> None:
    """Check a document: ends the command with 1 when it is none, with 3 when the file is not there."""
    shown = plain_text(file)
    try:
        reading = read(content(file))
    except Unprocessable as refused:
        if as_json:
            print_json({"file": file, "valid": False, "problems": refused.problems, "remarks": []})
        else:
            for problem in refused.problems:
                print(f"{shown}: {plain_text(str(problem))}")
        count = "1 problem" if len(refused.problems) == 1 else f"{len(refused.problems)} problems"
        raise Stop(Exit.FAILED, f"{shown} is no APS document: {count}") from None
    for remark in reading.remarks:
        say(f"{shown}: line {remark.line}: {plain_text(f'{remark.field}: {remark.message}')}")
    if as_json:
        print_json({"file": file, "valid": True, "problems": [], "remarks": reading.remarks})
    else:
        print(f"{shown} is an APS document: {_parts(reading)}")


def content(file: str) -> bytes:
    """Return a file's bytes, a little more than a document may have at most."""
    if file == STDIO:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise Stop(Exit.NOT_FOUND, f"there is no file {plain_text(file)}") from None
    except OSError as problem:
        raise Stop(Exit.USAGE, f"{plain_text(file)} cannot be read: {problem.strerror}") from problem


def _parts(reading: Reading) -> str:
    document = reading.document
    parts = [name for name in type(document).model_fields if getattr(document, name)]
    return ", ".join(parts) + (f"; {len(reading.remarks)} remarks" if reading.remarks else "")
