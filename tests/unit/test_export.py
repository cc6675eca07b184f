"""An export says of itself, without any server, whether and where it was altered."""

import io
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import Unreadable
from events.evidence.export import (
    STRETCH,
    Closing,
    Exported,
    ExportWriter,
    InnerSeal,
    Opening,
    Other,
    decoded,
    encoded,
)
from events.evidence.heads import Head, NoKey, PublicKey, SigningKey, sign, wrong
from events.evidence.verify import item
from events.evidence.verify_export import HEADS, SEALED, ExportProof, NoExport
from events.memory import InMemoryEventStore
from events.store import Recorded
from tests.exported_log import NOON, OURS, THEIRS, export_of, faults_of, heads_of, stored
from tests.projection_facts import CYCLE, START, Clock, tell

EVERY = 10
BEFORE = 1 + len(range(EVERY, len(CYCLE) + 1, EVERY)) + (len(CYCLE) % EVERY > 0)  # lines before the events


@pytest.fixture
async def log() -> list[Recorded]:
    store = InMemoryEventStore(Clock())
    await tell(store, CYCLE)
    return [event async for event in store.read_all()]


def at_of(lines: list[bytes], seq: int) -> int:
    """Where the line of an event stands."""
    return next(at for at, line in enumerate(lines) if line.startswith(b'{"seq":%d,' % seq))


@pytest.fixture
def lines(log: list[Recorded]) -> list[bytes]:
    return export_of(log, heads_of(log, EVERY))


def test_an_export_as_it_was_written_is_sound_sealed_and_signed_to_its_end(lines: list[bytes]) -> None:
    proof = ExportProof([OURS.public])
    assert list(proof.read(lines)) == []
    assert (proof.events, proof.signed, proof.sealed) == (len(CYCLE), len(CYCLE), True)
    assert not proof.trusts_inside


def test_without_a_key_that_is_given_the_one_inside_proves_it_and_that_is_known(lines: list[bytes]) -> None:
    proof = ExportProof()
    assert list(proof.read(lines)) == []
    assert (proof.trusts_inside, proof.sealed) == (True, True)


def test_with_another_key_every_head_and_the_seal_are_told(lines: list[bytes]) -> None:
    faults = faults_of(lines, THEIRS)
    signed = [seq for seq in range(1, len(CYCLE) + 1) if seq % EVERY == 0 or seq == len(CYCLE)]
    assert [fault.seq for fault in faults if fault.where == HEADS] == signed
    assert [fault.where for fault in faults][-1] == SEALED
    assert all(OURS.public.id in fault.what for fault in faults)


bodies = st.one_of(
    st.binary(max_size=80),
    st.sampled_from(
        [b"{}", b'{"a": 1}', b'{"a":\n1}', b' {"a":1}', b"[1]", b'{"event":{"event":1}}', b"\xff", b"", b"1"]
    ),
)


@given(body=bodies, subject=st.text(max_size=30), seq=st.integers(min_value=0, max_value=2**62))
def test_any_message_comes_back_byte_for_byte(body: bytes, subject: str, seq: int) -> None:
    line = Exported(seq, subject, NOON, "0" * 64, body)
    written = encoded(line)
    assert written.count(b"\n") == 1
    assert decoded(written) == line


@pytest.mark.parametrize(
    "line",
    [
        Opening(7, "a" * 64, NOON),
        Opening(7, "a" * 64, NOON, ("b" * 64,), form=1),
        Closing(7, "b" * 64, "c" * 64, "key", "signature"),
        InnerSeal(7, "b" * 64, "c" * 64, "key", "signature"),
        Other("message", {"number": 1}),
        sign(3, 0, "d" * 64, START, OURS),
    ],
)
def test_every_other_line_comes_back(line: Opening | InnerSeal | Closing | Other | Head) -> None:
    assert decoded(encoded(line)) == line


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"7",
        b'"seq"',
        b"{}",
        b'{"seq":1}',
        b'{"head":{}}',
        b'{"export":3,"until":1,"public":"","time":"","earlier":[]}',
        b'{"export":2,"until":1,"public":"","time":""}',
        b'{"event":{},"seq":1,"subject":"a","stored":"","chain":""}',
        b'{"seq":"1","subject":"a","stored":"","chain":"","event":{}}',
        b'{"seq":1,"subject":"a","stored":"","chain":"","base64":"*"}',
    ],
)
def test_what_is_no_line_of_an_export_is_unreadable(line: bytes) -> None:
    with pytest.raises(Unreadable):
        decoded(line)


def test_any_altered_byte_of_an_event_is_told_at_its_line(lines: list[bytes]) -> None:
    number = BEFORE + 4
    line = lines[number]
    for at in range(len(line) - 1):
        spoilt = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        told = faults_of([*lines[:number], spoilt, *lines[number + 1 :]])
        near = [fault for fault in told if fault.seq in (5, 6) or fault.where == f"line {number + 1}"]
        stored = decoded(spoilt).stored if not near else ""  # type: ignore[union-attr]  # an event's line
        assert near or stored != NOON, (at, told)
        assert f"lines 1 to {STRETCH}" in {fault.where for fault in told}, at
        assert any(fault.where == SEALED for fault in told), at


@pytest.mark.parametrize("gone", range(1, len(CYCLE) + 1))
def test_any_removed_line_is_told_where_it_was(lines: list[bytes], gone: int) -> None:
    del lines[at_of(lines, gone)]
    faults = faults_of(lines)
    assert min(gone + 1, len(CYCLE) - (gone == len(CYCLE))) in [fault.seq for fault in faults]


@pytest.mark.parametrize("first", range(1, len(CYCLE)))
def test_any_two_exchanged_lines_are_told_at_their_places(lines: list[bytes], first: int) -> None:
    at = at_of(lines, first)
    other = at_of(lines, first + 1)
    lines[at], lines[other] = lines[other], lines[at]
    assert {first, first + 1} <= {fault.seq for fault in faults_of(lines)}


@pytest.mark.parametrize("kept", range(len(CYCLE)))
def test_a_cut_tail_is_told_even_when_everything_else_was_made_to_fit(log: list[Recorded], kept: int) -> None:
    shorter = export_of(log[:kept], heads_of(log, EVERY), key=None)
    faults = [fault for fault in faults_of(shorter) if "gone" in fault.what]
    assert [fault.seq for fault in faults] == [kept]


def test_lines_cut_off_at_the_end_are_missed(lines: list[bytes]) -> None:
    whats = [fault.what for fault in faults_of(lines[: BEFORE + 10])]
    assert "the export was cut off: its end is missing" in whats
    assert f"the events end here; it was written up to sequence {len(CYCLE)}" in whats


@pytest.mark.parametrize("at", range(BEFORE - 1))
def test_a_head_taken_out_is_missed(log: list[Recorded], at: int) -> None:
    heads = heads_of(log, EVERY)
    if at == len(heads) - 1:
        assert any(fault.where == SEALED for fault in faults_of(export_of(log, heads[:-1], THEIRS)))
        return
    gone = heads.pop(at)
    (fault,) = faults_of(export_of(log, heads))
    assert (fault.seq, fault.where) == (heads[at].seq, HEADS)
    assert str(gone.seq if at else 0) in fault.what or "none stands" in fault.what


@pytest.mark.parametrize("field", ["seq", "previous", "chain", "time"])
def test_an_altered_head_is_told_at_its_place(log: list[Recorded], field: str) -> None:
    heads = heads_of(log, EVERY)
    now = getattr(heads[1], field)
    other: Any = now + 1 if isinstance(now, int) else now[:-1] + "9x"[now[-1] == "9"]
    heads[1] = replace(heads[1], **{field: other})
    faults = faults_of(export_of(log, heads))
    assert (heads[1].seq, "the head was altered: its signature does not fit") in [
        (fault.seq, fault.what) for fault in faults
    ]


def test_a_head_signed_by_another_under_our_name_is_told(log: list[Recorded]) -> None:
    heads = heads_of(log, EVERY)
    forged = replace(sign(heads[1].seq, heads[1].previous, "f" * 64, START, THEIRS), key=OURS.public.id)
    assert wrong(forged, [OURS.public]) == "the head was altered: its signature does not fit"
    told = faults_of(export_of(log, [heads[0], forged, *heads[2:]]))
    assert [(fault.seq, fault.where) for fault in told] == [(forged.seq, HEADS)]


def test_a_seal_made_by_another_under_our_name_is_told(lines: list[bytes]) -> None:
    ours = decoded(lines[-1])
    assert isinstance(ours, Closing)
    forged = encoded(replace(ours, signature=THEIRS.sign(ours.content())))
    (fault,) = faults_of([*lines[:-1], forged])
    assert (fault.where, fault.what) == (SEALED, "was altered: its signature does not fit")


def test_a_key_named_in_the_file_counts_only_under_a_seal_of_the_trusted_one(log: list[Recorded]) -> None:
    heads = heads_of(log, EVERY, THEIRS)

    def written(key: SigningKey | None) -> list[bytes]:
        out = io.BytesIO()
        opening = Opening(len(log), OURS.public.text, NOON, (THEIRS.public.text,))
        writer = ExportWriter(out, opening, heads, key)
        for event in log:
            message = stored(event)
            writer.event(message.seq, message.subject, NOON, message.body)
        writer.close()
        return out.getvalue().splitlines(keepends=True)

    assert faults_of(written(OURS)) == []
    assert [fault.where for fault in faults_of(written(None))] == [SEALED]
    assert [fault.where for fault in faults_of(written(SigningKey(bytes([2]) * 32)))] == [SEALED]


@pytest.mark.parametrize("trusted", [OURS, None], ids=["a key given", "the key inside"])
def test_what_a_forger_left_without_a_seal_is_told(log: list[Recorded], trusted: SigningKey | None) -> None:
    assert faults_of(export_of(log, heads_of(log, EVERY)), trusted) == []
    for heads in ((), heads_of(log, EVERY)[:1]):
        (fault,) = faults_of(export_of(log, heads, None), trusted)
        assert (fault.where, fault.what) == (SEALED, "is missing: nobody vouches for the whole")


@pytest.mark.parametrize("field", ["key", "signature", "chain", "sha256"])
def test_an_end_that_holds_other_than_text_is_told(lines: list[bytes], field: str) -> None:
    end = orjson.loads(lines[-1])
    end["end"][field] = 5
    assert any(
        "all else of a seal is text" in fault.what for fault in faults_of([*lines[:-1], orjson.dumps(end)])
    )


@pytest.mark.parametrize(
    ("written", "altered"),
    [
        (b'"source":', b'"source":"aps/evil","source":'),
        (b'{"', b'{ "'),
        (b'"source"', b'"s\\u006furce"'),
    ],
    ids=["a field twice", "a blank", "an escape"],
)
def test_an_event_that_says_the_same_in_other_bytes_is_told(
    log: list[Recorded], written: bytes, altered: bytes
) -> None:
    body = stored(log[2]).body
    other = body.replace(written, altered, 1)
    assert item(3, stored(log[2]).subject, other) == item(3, stored(log[2]).subject, body)
    out = io.BytesIO()
    writer = ExportWriter(out, Opening(len(log), OURS.public.text, NOON), key=OURS)
    for event in log:
        message = stored(event)
        writer.event(message.seq, message.subject, NOON, other if event is log[2] else message.body)
    writer.close()
    (fault,) = faults_of(out.getvalue().splitlines(keepends=True))
    assert (fault.seq, "its bytes were altered" in fault.what) == (3, True)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n", b"{}\n", b'{\n "seq": 1\n}\n', b'{"log": {"seq": 1}}\n' * 5, b"# Read me\n" * 2000],
)
def test_what_is_no_export_is_told_once(content: bytes) -> None:
    with pytest.raises(NoExport, match="is no export of the log: not one"):
        faults_of(content.splitlines(keepends=True))


def test_an_export_whose_beginning_is_spoilt_is_one_still(lines: list[bytes]) -> None:
    assert "line 1" in {fault.where for fault in faults_of([b"x\n", *lines[1:]])}
    other = [lines[0].replace(b'"export":2', b'"export":3')]
    assert any("this program reads up to form 2" in fault.what for fault in faults_of(other))


def test_a_key_follows_from_a_root_secret_and_from_nothing_else() -> None:
    one, same, other = (SigningKey.derived(root).public for root in ("a" * 32, "a" * 32, "b" * 32))
    assert one == same != other


@pytest.mark.parametrize("text", ["", "zz", "A" * 64, "a" * 63, "a" * 65])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(NoKey):
        PublicKey(text)
