"""Messages that are no events: what stands in for them holds them whole, counts, and blocks nothing."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import NO_HASH, Unreadable, decode
from events.evidence.export import Exported, decoded, encoded
from events.evidence.heads import sign
from events.evidence.verify import LogProof, chained, item, verify
from events.evidence.verify_export import ExportProof
from events.jetstream.moments import STORED_AT, Restored, stored_at
from events.jetstream.restoring import Batches, Kept
from events.jetstream.stream_reader import Stored
from events.jetstream.walk import recorded
from events.store import Broken, Recorded
from events.unreadable import (
    address_of,
    complaint,
    is_unreadable,
    message_in,
    message_of,
    stand_in,
    subject_at,
)
from projections import journal
from projections.building.loading import hash_in
from projections.building.sheets import sheet_of
from projections.fold import Folded, Key, Standing, fold, restored
from projections.journal_proof import JournalProof
from projections.views.catalogue import VIEWS
from tests import projection_facts as f
from tests.exported_log import OURS, export_of
from tests.spoilt_system import EVENTS

SUBJECT = "aps.v1.improvement.imp-1.discovered"
KEY: Key = ("improvement", "imp-1")
GARBAGE = (b"", b'{"half', b"\xff\xfe", b"\0\x1b[2J", b"[]", b"1", b'{"a": 1}', b'{"a":\n1}', b'{"hash":"x"}')
DEEP = (b"[" * 1023 + b"]" * 1023, b'{"event":' * 1000 + b"1" + b"}" * 1000)
CUT = (b'{"hash":"' + b"\xff" * 64 + b'"}', b'"hash":"' + b"0" * 64 + b'"}')
OF_TOKENS = st.characters(exclude_characters=". *>\t\r\n", exclude_categories=["Cs"])
STRANGE = (
    "aps.v1.foo",
    "aps.v1.improvement.imp-1",
    "aps.v1.a.b.c.d",
    "aps.v1.improvement.a/b.discovered",
    "aps.v1.improvement.\x1b[31m\0.discovered",
    "aps.v1.improvement.%2e.\u2028",
)


def event(**changes: object) -> bytes:
    """An envelope of the log, changed by a hand that knows how to seal one."""
    return replace(EVENTS[0].envelope, **changes).sealed().encode()  # type: ignore[arg-type]  # fields by name


def nested(levels: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(levels):
        value = {"in": value}
    return value


@given(st.integers(1, 2**53), st.sampled_from((SUBJECT, *STRANGE)), st.binary(max_size=300))
def test_what_stands_in_for_a_message_holds_it_whole(seq: int, subject: str, body: bytes) -> None:
    envelope = stand_in(seq, subject, body)
    assert is_unreadable(envelope)
    assert message_of(envelope) == message_in(envelope.encode()) == (subject, body)
    assert subject_at(envelope.subject, address_of(subject).fact) == subject


@given(st.lists(st.text(OF_TOKENS, min_size=1), min_size=1, max_size=6))
def test_every_subject_has_a_place_of_its_own(tokens: list[str]) -> None:
    subject = ".".join(("aps.v1", *tokens))
    at = address_of(subject)
    assert subject_at(f"{at.aggregate}/{at.id}", at.fact) == subject
    assert f"{at.aggregate}{at.id}{at.fact}".isascii()


def test_it_is_of_the_aggregate_that_its_subject_names() -> None:
    envelope = stand_in(9, SUBJECT, b"x")
    assert (envelope.subject, envelope.address.aggregate, envelope.sequence) == (
        "improvement/imp-1",
        KEY[0],
        0,
    )


@pytest.mark.parametrize("subject", STRANGE)
def test_a_subject_that_names_no_aggregate_blocks_none(subject: str) -> None:
    assert stand_in(9, subject, b"x").subject.startswith("/")


def test_its_hash_covers_the_bytes_and_the_subject() -> None:
    hashes = {stand_in(1, s, b).hash for s in (SUBJECT, STRANGE[0]) for b in GARBAGE}
    assert len(hashes) == 2 * len(GARBAGE)


@pytest.mark.parametrize("prevhash", [NO_HASH, f"{SUBJECT}\n"])
def test_no_event_can_be_exchanged_for_bytes_with_its_hash(prevhash: str) -> None:
    event = replace(EVENTS[0].envelope, prevhash=prevhash).sealed()
    fields = orjson.loads(event.encode())
    del fields["hash"], fields["prevhash"]
    form = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    for body in (form, prevhash.encode() + form):
        assert stand_in(1, SUBJECT, body).hash != event.hash


@pytest.mark.parametrize(
    ("body", "complaint_"),
    [
        (stand_in(2, SUBJECT, b"x").encode(), "stands in for"),
        (event(data=nested(246)), "nested too deep"),
        (
            event(data={}).replace(b'"data":{}', b'"data":' + b'{"in":' * 300 + b"1" + b"}" * 300),
            "nested too deep",
        ),
        (event(time="2026-01-01T00:00:00"), "no zone"),
        (event(time="0001-01-01T00:00:00+14:00"), "out of range"),
        (event(subject="improvement/\x1b[31m"), "printable ASCII"),
        (event(subject="improvement/a\0"), "printable ASCII"),
    ],
    ids=["a stand-in", "too deep", "too deep to write", "no zone", "before all time", "a control", "a NUL"],
)
def test_an_envelope_that_could_be_neither_kept_nor_shown_is_none(body: bytes, complaint_: str) -> None:
    with pytest.raises(Unreadable, match=complaint_):
        decode(body)
    assert complaint_ in complaint(recorded(Stored(1, SUBJECT, body)).envelope)


def test_brackets_inside_a_text_are_not_depth() -> None:
    assert decode(event(data={"patch": "{[" * 500})).data


@pytest.mark.parametrize("body", GARBAGE)
def test_it_is_read_as_what_stands_in_for_it(body: bytes) -> None:
    message = Stored(3, SUBJECT, body)
    assert recorded(message) == Recorded(3, stand_in(3, SUBJECT, body))


def test_an_envelope_of_another_subject_breaks_the_log_as_before() -> None:
    with pytest.raises(Broken, match="holds a"):
        recorded(Stored(1, SUBJECT.replace("imp-1", "imp-2"), EVENTS[0].envelope.encode()))


def spoilt(*places: int, subject: str = SUBJECT, body: bytes = b'{"half') -> list[Recorded]:
    """The events, with a message that is none at each of the places."""
    made: list[Recorded] = []
    waiting = list(EVENTS)
    while waiting:
        seq = len(made) + 1
        made.append(
            Recorded(seq, stand_in(seq, subject, body)) if seq in places else replace(waiting.pop(0), seq=seq)
        )
    return made


def half(events: list[Recorded], at: int) -> Folded:
    """The same by two batches, the second from what the journal gives back."""
    first = fold(events[:at], {}, VIEWS)
    rows = journal.lines(events[:at], NO_HASH)
    kept = [journal.event_in(row.seq, row.envelope) for row in rows]
    keys = first.standings.keys()
    standings = {key: restored([e for e in kept if e.envelope.subject == "/".join(key)]) for key in keys}
    assert standings == first.standings
    return fold(events[at:], standings, VIEWS)


@pytest.mark.parametrize("body", GARBAGE)
def test_each_is_told_and_its_aggregate_goes_on_like_every_other(body: bytes) -> None:
    folded, sound = fold(spoilt(9, 14, body=body), {}, VIEWS), fold(EVENTS, {}, VIEWS)
    assert [(one.seq, one.aggregate, one.id) for one in folded.poisoned] == [(9, *KEY), (14, *KEY)]
    assert all(one.reason.startswith("no event envelope") for one in folded.poisoned)
    assert not any(one.blocks for one in folded.poisoned)
    assert {k: s._replace(seq=0, began=None, claimed=None) for k, s in folded.standings.items()} == {
        k: s._replace(seq=0, began=None, claimed=None) for k, s in sound.standings.items()
    }


def test_a_message_alone_on_its_subject_blocks_nothing_of_what_is_not_there_yet() -> None:
    folded = fold([Recorded(1, stand_in(1, SUBJECT, b""))], {}, VIEWS)
    assert folded.standings == {KEY: Standing()}
    assert not any(pending.rows for pending in folded.pending)


@pytest.mark.parametrize("at", range(8, 16))
def test_two_batches_with_the_journal_between_come_to_the_same(at: int) -> None:
    events = spoilt(9, 14)
    whole, second = fold(events, {}, VIEWS), half(events, at)
    assert {**fold(events[:at], {}, VIEWS).standings, **second.standings} == whole.standings
    assert [*fold(events[:at], {}, VIEWS).poisoned, *second.poisoned] == whole.poisoned


def test_events_of_its_aggregate_must_still_link() -> None:
    events = [e for e in spoilt(9) if e.seq != 10]
    assert events[8].envelope.subject == spoilt(9)[9].envelope.subject
    with pytest.raises(Broken, match="does not link"):
        fold(events, {}, VIEWS)


def test_the_journal_has_a_line_for_it_and_no_two_versions_alike() -> None:
    events = spoilt(9, 14)
    rows = journal.lines(events, NO_HASH)
    assert [row.version for row in rows if row.type.endswith(".unreadable")] == [-9, -14]
    assert len({(row.aggregate, row.id, row.version) for row in rows}) == len(rows)
    assert [journal.message_of(row) for row in rows] == [message_of(event.envelope) for event in events]
    assert rows[-1].chain == chain_of(events)


def chain_of(events: list[Recorded]) -> str:
    chain = NO_HASH
    for one in events:
        chain = chained(chain, one.envelope.hash)
    return chain


def test_a_proof_notes_it_with_its_place_and_finds_no_fault() -> None:
    events = spoilt(9, 14)
    head = sign(len(events), 0, chain_of(events), f.START, OURS)
    proof = LogProof([head])
    items = [item(e.seq, *message_of(e.envelope)) for e in events]
    assert [fault for one in items for fault in proof.see(one)] == []
    assert [(notice.seq, notice.where) for notice in proof.unreadable] == [(9, SUBJECT), (14, SUBJECT)]
    assert all("no event envelope" in notice.what for notice in proof.unreadable)
    assert proof.signed == len(events)


@pytest.mark.parametrize(
    ("subject", "body"), [(SUBJECT, b'{"Half'), (SUBJECT.replace("imp-1", "imp-2"), b'{"half')]
)
def test_its_bytes_and_its_subject_are_under_the_signed_heads(subject: str, body: bytes) -> None:
    events = spoilt(9)
    head = sign(len(events), 0, chain_of(events), f.START, OURS)
    altered = [Recorded(9, stand_in(9, subject, body)) if e.seq == 9 else e for e in events]
    assert [fault.seq for fault in verify(altered, heads=[head])] == [len(events)]


@pytest.mark.parametrize("column", ["hash", "version", "envelope", "type"])
def test_an_altered_line_of_it_in_the_journal_is_told(column: str) -> None:
    events = spoilt(9)
    rows = {row.seq: row for row in journal.lines(events, NO_HASH)}
    row = rows[9]
    rows[9] = {
        "hash": replace(row, hash="0" * 64),
        "version": replace(row, version=1),
        "envelope": replace(row, envelope=row.envelope.replace("base64", "bose64")),
        "type": replace(row, type="aps.improvement.other.v1"),
    }[column]
    items = {one.seq: item(one.seq, *message_of(one.envelope)) for one in events}
    faults = [*JournalProof(len(events)).see(items, rows, len(events))]
    assert [fault.seq for fault in faults] == [9]


@pytest.mark.parametrize("body", [*GARBAGE, *DEEP])
@pytest.mark.parametrize("subject", [SUBJECT, *STRANGE])
def test_an_export_carries_it_byte_for_byte(subject: str, body: bytes) -> None:
    line = Exported(3, subject, "2026-01-01T00:00:00Z", NO_HASH, body)
    written = encoded(line)
    assert (decoded(written), written.count(b"\n")) == (line, 1)


def test_an_export_with_it_proves_sound_and_tells_it() -> None:
    events = spoilt(9, 14, subject=STRANGE[4])
    reading = ExportProof([OURS.public])
    assert [*reading.read(export_of(events, [sign(len(events), 0, chain_of(events), f.START, OURS)]))] == []
    assert [(notice.seq, notice.where) for notice in reading.unreadable] == [
        (9, STRANGE[4]),
        (14, STRANGE[4]),
    ]
    assert (reading.signed, reading.sealed) == (len(events), True)


def test_a_restore_writes_it_as_it_was() -> None:
    events = spoilt(9, 14)
    batches = Batches()
    kept = [Kept(e.seq, *message_of(e.envelope), "no time" if e.seq == 9 else "") for e in events]
    written = [message for one in kept for full in batches.add(one) for message in full] + batches.finish()
    assert [(one.subject, one.body) for one in written] == [(one.subject, one.body) for one in kept]
    times = [one.headers[STORED_AT] for one in written]
    assert times == sorted(times)
    assert "Nats-Msg-Id" not in written[8].headers


@pytest.mark.parametrize("told", ["bad", "", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_somebody_wrote_into_a_header_counts_only_where_it_is_one(told: str) -> None:
    headers = {STORED_AT: told, "Nats-Time-Stamp": "2026-11-23T06:23:20.05Z"}
    assert stored_at(Stored(1, SUBJECT, b"", headers), Restored(((1, 1),))) == "2026-11-23T06:23:20.05Z"


def test_loading_from_nothing_makes_the_rows_that_applying_makes() -> None:
    events = spoilt(9, 14)
    of_it = [e for e in events if e.envelope.subject == "improvement/imp-1"]
    sheet = sheet_of(of_it, VIEWS, {})
    assert list(sheet.poisoned) == fold(events, {}, VIEWS).poisoned


@pytest.mark.parametrize("body", [*GARBAGE, *CUT])
def test_the_hash_at_the_end_of_any_bytes_is_a_text(body: bytes) -> None:
    assert len(hash_in(body)) == len(NO_HASH)
