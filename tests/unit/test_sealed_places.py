"""A seal that does not fit is told with the place where something does not look as it was written."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from events.evidence.archive import Chunk, Setting
from events.evidence.export import STRETCH, ExportWriter, InnerSeal, Opening, decoded, encoded
from events.evidence.stretches import ALTERED, NO_SEAL
from events.evidence.verify import Fault
from events.evidence.verify_export import SEALED, SOMEWHERE
from events.fact import Fact
from events.memory import InMemoryEventStore
from events.store import Recorded
from tests.exported_log import OURS, THEIRS, export_of, faults_of, heads_of, stored
from tests.projection_facts import ARTEFACT, CYCLE, START, Clock, tell

REPORT = b"what the suite said"
NAME = hashlib.sha256(REPORT).hexdigest()
FIRST_FORM = Path(__file__).parents[1] / "exports" / "form_1.jsonl"
BEFORE = 5  # the opening, one head, two artefacts, a setting


def kept(fact: Fact) -> Fact:
    """The fact with the artefact it names, where it names one, among those that the backup has."""
    return type(fact).model_validate_json(fact.model_dump_json().replace(ARTEFACT.sha256, NAME))


def moment_of(seq: int) -> str:
    return (START + timedelta(seconds=seq)).isoformat()


@pytest.fixture
async def log() -> list[Recorded]:
    store = InMemoryEventStore(Clock())
    await tell(store, [(kind, id, kept(fact)) for kind, id, fact in CYCLE])
    return [event async for event in store.read_all()]


@pytest.fixture
def lines(log: list[Recorded]) -> list[bytes]:
    """A backup of that log: every artefact its events name, each at its time."""
    out = io.BytesIO()
    opening = Opening(len(log), OURS.public.text, moment_of(1000))
    writer = ExportWriter(out, opening, heads_of(log, len(log)), OURS)
    for body in (b"another", REPORT):
        writer.write(Chunk(hashlib.sha256(body).hexdigest(), 1, 0, body).line())
    writer.write(Setting("APS_AUTONOMY", "low").line())
    for event in log:
        message = stored(event)
        writer.event(message.seq, message.subject, moment_of(message.seq), message.body)
    writer.close()
    return out.getvalue().splitlines(keepends=True)


def line_of(seq: int) -> int:
    """The number of the line of an event, from 1; a seal stands after each stretch of lines."""
    return BEFORE + seq + (BEFORE + seq - 1) // STRETCH


def stretch_of(seq: int) -> str:
    """The lines of the stretch in which an event stands, or what is left of one before the end."""
    first = (line_of(seq) - 1) // (STRETCH + 1) * (STRETCH + 1) + 1
    return f"lines {first} to {min(first + STRETCH - 1, line_of(len(CYCLE)))}"


def at_time(lines: list[bytes], seq: int, time: str) -> list[Fault]:
    """What is told where an event's stored time is made another."""
    at = line_of(seq) - 1
    lines[at] = lines[at].replace(moment_of(seq).encode(), time.encode(), 1)
    return faults_of(lines)


def test_an_unspoilt_backup_tells_nothing(lines: list[bytes]) -> None:
    assert faults_of(lines) == []


@pytest.mark.parametrize("seq", [2, 3, 7, len(CYCLE)])
@pytest.mark.parametrize("time", ["2000-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00", "noon"])
def test_a_stored_time_out_of_order_is_told_with_its_line(lines: list[bytes], seq: int, time: str) -> None:
    stretch, odd, sealed = at_time(lines, seq, time)
    assert stretch.where == stretch_of(seq)
    assert (odd.seq, odd.where) == (seq, f"line {line_of(seq)}")
    assert sealed.where == SEALED
    assert SOMEWHERE not in sealed.what


def test_a_stored_time_moved_past_its_neighbours_is_told_with_its_line(lines: list[bytes]) -> None:
    _, odd, _ = at_time(lines, 7, moment_of(12))
    assert (odd.seq, odd.where) == (7, f"line {line_of(7)}")
    assert f"and line {line_of(8)} after it at" in odd.what


@pytest.mark.parametrize("seq", [1, 7, 18, len(CYCLE)])
def test_a_stored_time_that_keeps_the_order_is_told_with_the_stretch_it_stands_in(
    lines: list[bytes], seq: int
) -> None:
    stretch, sealed = at_time(lines, seq, (START + timedelta(seconds=seq + 0.5)).isoformat())
    assert (stretch.where, stretch.what) == (stretch_of(seq), ALTERED)
    assert (sealed.where, SOMEWHERE in sealed.what) == (SEALED, False)


@pytest.mark.parametrize("number", [STRETCH + 1, STRETCH + 2])
def test_a_seal_or_a_line_after_it_taken_out_is_told_with_the_stretch(
    lines: list[bytes], number: int
) -> None:
    told = faults_of([*lines[: number - 1], *lines[number:]])
    (stretch,) = (fault for fault in told if fault.where.startswith("lines"))
    seal_gone = number == STRETCH + 1
    assert stretch.what == (NO_SEAL if seal_gone else ALTERED)
    first, last = (1, STRETCH) if seal_gone else (STRETCH + 2, len(lines) - 2)
    assert stretch.where == f"lines {first} to {last}"


def test_a_seal_made_by_another_or_by_nobody_vouches_for_no_stretch(lines: list[bytes]) -> None:
    lines[STRETCH - 1] = lines[STRETCH - 1].replace(b"+00:00", b"+00:01", 1)
    told = decoded(lines[STRETCH])
    assert isinstance(told, InnerSeal)
    now = replace(told, sha256=hashlib.sha256(b"".join(lines[:STRETCH])).hexdigest())
    for forged in (replace(now, signature=THEIRS.sign(now.content())), replace(now, signature="")):
        places = {
            fault.where for fault in faults_of([*lines[:STRETCH], encoded(forged), *lines[STRETCH + 1 :]])
        }
        assert not any(place.startswith("lines") for place in places)
        assert SEALED in places


def test_a_seal_from_inside_is_no_end(lines: list[bytes]) -> None:
    cut = [*lines[:STRETCH], lines[STRETCH].replace(b'{"seal":', b'{"end":', 1)]
    assert "was altered: its signature does not fit" in {fault.what for fault in faults_of(cut)}


def test_an_export_of_the_first_form_is_sound_still() -> None:
    lines = FIRST_FORM.read_bytes().splitlines(keepends=True)
    assert b'"export":1' in lines[0]
    assert faults_of(lines) == []
    assert faults_of([line.replace(b'"actor":"pm"', b'"actor":"xx"', 1) for line in lines])


def test_lines_that_end_otherwise_are_told_once_from_the_first_on(lines: list[bytes]) -> None:
    one = [
        line.replace(b"\n", b"\r\n") if number == 8 else line for number, line in enumerate(lines, start=1)
    ]
    _, form, _ = faults_of(one)
    assert (form.where, form.what.startswith("ends in CR LF")) == ("line 8", True)
    _, every, _ = faults_of([line.replace(b"\n", b"\r\n") for line in lines])
    assert (every.where, every.what.endswith(f"so it is with {len(lines) - 1} more")) == ("line 1", True)


@pytest.mark.parametrize(
    "spoil", [lambda line: line.replace(b",", b", ", 1), lambda line: b" " + line, lambda line: line + b"\n"]
)
@pytest.mark.parametrize("number", [2, 4])
def test_a_line_written_in_another_form_is_told(
    lines: list[bytes], number: int, spoil: Callable[[bytes], bytes]
) -> None:
    spoilt = b"".join([*lines[: number - 1], spoil(lines[number - 1]), *lines[number:]])
    told = faults_of(spoilt.splitlines(keepends=True))
    assert any(fault.where in (f"line {number}", f"line {number + 1}") for fault in told)
    assert SOMEWHERE not in told[-1].what


def test_an_artefact_taken_out_is_told_by_its_name_and_the_event_that_names_it(lines: list[bytes]) -> None:
    (at,) = (at for at, line in enumerate(lines) if line.startswith(b'{"artefact"') and NAME.encode() in line)
    stretch, lost, sealed = faults_of([*lines[:at], *lines[at + 1 :]])
    assert stretch.where == f"lines 1 to {STRETCH - 1}"
    first = next(number for number, line in enumerate(lines[BEFORE:], start=1) if NAME.encode() in line)
    assert (lost.seq, lost.where) == (first, f"artefact {NAME}")
    assert "is not in the file" in lost.what
    assert sealed.where == SEALED


def test_a_plain_export_is_not_blamed_for_the_artefacts_it_never_has(lines: list[bytes]) -> None:
    plain = [line for line in lines if not line.startswith((b'{"artefact"', b'{"setting"'))]
    stretch, sealed = faults_of(plain)
    assert (stretch.where, sealed.where) == (f"lines 1 to {STRETCH - 3}", SEALED)


def test_a_setting_made_another_is_told_with_the_stretch_it_stands_in(lines: list[bytes]) -> None:
    stretch, sealed = faults_of([line.replace(b'"value":"low"', b'"value":"high"') for line in lines])
    assert (stretch.where, sealed.where) == (f"lines 1 to {STRETCH}", SEALED)


def test_in_an_export_shorter_than_a_stretch_it_is_somewhere(log: list[Recorded]) -> None:
    short = export_of(log[:9], heads_of(log[:9], 9))
    at = next(at for at, line in enumerate(short) if line.startswith(b'{"seq":7,'))
    short[at] = short[at].replace(b":00:00+", b":00:00.0+", 1)
    (sealed,) = faults_of(short)
    assert (sealed.where, sealed.what.endswith(SOMEWHERE)) == (SEALED, True)
