"""A log that is damaged in its middle, or was lost: each command says where, and which one mends it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from events.subjects import STREAM
from services.cli.session import Exit
from tests.told_place import END, Told, told_place

pytestmark = pytest.mark.slow
ID = "imp-1"


@pytest.fixture
def place(home: Path) -> Iterator[Told]:
    with told_place(home) as told:
        yield told


def flip(place: Told, subject: bytes) -> None:
    """Change a byte of the message on `subject` where the server keeps it."""
    with place.stopped() as data:
        (block,) = data.rglob(f"{STREAM}/msgs/1.blk")
        content = bytearray(block.read_bytes())
        content[content.index(b'"data"', content.index(subject)) + 10] ^= 1
        block.write_bytes(content)


@contextmanager
def lost(place: Told) -> Iterator[None]:
    """Remove what the server keeps of the log; the servers are down for the time of the block."""
    with place.stopped() as data:
        (stream,) = data.rglob(f"streams/{STREAM}")
        shutil.rmtree(stream)
        yield


def test_a_document_is_not_exported_from_a_damaged_log_and_the_way_on_is_named(place: Told) -> None:
    flip(place, f"aps.v1.improvement.{ID}.change_implemented".encode())
    refused = place.aps("process", "export", ID)
    assert (refused.code, refused.out) == (Exit.FAILED, ""), refused
    assert f"of improvement/{ID} is missing" in refused.err
    assert "aps events verify" in refused.err
    assert place.aps("events", "verify").code == Exit.FAILED
    of_end = place.aps("restore", "--journal")
    assert (of_end.code, "aps restore --journal --anew" in of_end.err) == (Exit.FAILED, True), of_end
    assert place.aps("restore", "--journal", "--anew", "--yes").code == Exit.OK
    assert place.aps("events", "verify").code == Exit.OK
    # the facts are read again; this story never had the artefacts that they name
    assert "the document would not be whole" in place.aps("process", "export", ID).err


def test_a_lost_log_is_put_back_from_an_archive_that_has_all_of_it_alone(place: Told, tmp_path: Path) -> None:
    older, newer = str(tmp_path / "older.jsonl.gz"), str(tmp_path / "newer.jsonl.gz")
    assert place.aps("backup", older).code == Exit.OK
    assert place.aps("pause").code == Exit.OK
    assert place.aps("backup", newer).code == Exit.OK
    with lost(place):
        pass
    refused = place.aps("restore", older)
    assert (refused.code, f"the views here are at {END + 1}" in refused.err) == (Exit.CONFLICT, True), refused
    assert "aps restore --journal" in refused.err
    restored = place.aps("restore", newer, "--json")
    assert (restored.code, restored.said["put"], restored.said["sound"]) == (Exit.OK, END + 1, True), restored
    assert place.aps("resume").code == Exit.OK


def test_after_a_reset_a_lost_log_begins_anew(place: Told) -> None:
    with lost(place):
        assert place.aps("pause").code == Exit.FAILED
        assert place.aps("reset", "--yes").code == Exit.OK
        assert place.aps("pause").code == Exit.OK
        assert place.aps("events", "verify", "--json").said["events"] == 1
