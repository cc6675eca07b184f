"""What a backup holds comes back as it was, and what does not fit its name is told."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import Unreadable
from events.evidence.archive import ArtefactProof, Chunk, KeyFile, Message, Part, Setting, chunk_at, part
from events.evidence.export import Other, decoded, encoded
from events.jetstream.restoring import AT_ONCE, FOLLOWS, Batches, Kept
from events.jetstream.stream_reader import EXPECTED
from events.jetstream.wire import Message as Sent
from events.memory import InMemoryEventStore
from events.store import Broken, Recorded
from events.trail import PART, TRAIL, trail_after
from tests.exported_log import stored
from tests.projection_facts import CYCLE, Clock, tell

parts = st.one_of(
    st.builds(
        Chunk, st.text("abcdef0123456789", min_size=64, max_size=64), st.just(3), st.just(1), st.binary()
    ),
    st.builds(
        Message,
        st.text(),
        st.integers(1, 2**63 - 1),
        st.text(),
        st.dictionaries(st.text(), st.text(), max_size=3),
        st.binary(),
    ),
    st.builds(Setting, st.text(), st.text()),
    st.builds(KeyFile, st.text(), st.binary()),
)


@given(parts)
def test_every_part_of_a_backup_comes_back_from_its_line(one: Part) -> None:
    line = decoded(encoded(one.line()))
    assert isinstance(line, Other)
    assert part(line) == one


@pytest.mark.parametrize(
    "line",
    [
        Other("surprise", {}),
        Other("artefact", {"sha256": "a"}),
        Other("artefact", {"sha256": "a", "count": 1, "index": 0, "base64": "*"}),
        Other("message", {"stream": "s", "number": "x", "subject": "", "headers": {}, "base64": ""}),
        Other("message", {"stream": "s", "number": 1, "subject": "", "headers": 3, "base64": ""}),
    ],
)
def test_what_is_no_part_of_a_backup_is_unreadable(line: Other) -> None:
    with pytest.raises(Unreadable):
        part(line)


@pytest.mark.parametrize(
    "subject", ["aps.artefacts.a.b.c", "aps.artefacts.a.1", "aps.dead.a.1.0", "aps.artefacts"]
)
def test_what_is_no_chunk_is_unreadable(subject: str) -> None:
    with pytest.raises(Unreadable):
        chunk_at(subject, b"")


def chunks(*bodies: bytes) -> list[Chunk]:
    sha256 = hashlib.sha256(b"".join(bodies)).hexdigest()
    return [Chunk(sha256, len(bodies), index, body) for index, body in enumerate(bodies)]


def faults_of(found: list[Chunk]) -> list[str]:
    proof = ArtefactProof()
    told = [fault.what for one in found for fault in proof.see(one.line(), "line")]
    return [*told, *(fault.what for fault in proof.end())]


def test_whole_artefacts_are_sound_also_when_their_chunks_alternate() -> None:
    one, other = chunks(b"a", b"b"), chunks(b"c", b"d")
    assert faults_of([one[0], other[0], one[1], other[1], *chunks(b"")]) == []


def test_an_artefact_that_was_altered_cut_or_mixed_up_is_told() -> None:
    one, two = chunks(b"a", b"b")
    assert faults_of([one, Chunk(two.sha256, 2, 1, b"x")]) == ["does not fit its name"]
    assert faults_of([one]) == ["is not whole: it has 1 of 2 chunks"]
    assert faults_of([two, one])[0].startswith("chunk 1 of")


async def told() -> list[Recorded]:
    store = InMemoryEventStore(Clock())
    await tell(store, CYCLE)
    return [event async for event in store.read_all()]


def kept(event: Recorded, time: str = "") -> Kept:
    message = stored(event)
    return Kept(message.seq, message.subject, message.body, time)


def batches(log: list[Kept], made: Batches | None = None) -> list[list[Sent]]:
    made = made or Batches()
    return [*(batch for one in log for batch in made.add(one)), made.finish()]


async def test_a_restored_event_leads_back_to_the_one_before_it_in_its_aggregate() -> None:
    log = await told()
    past: dict[str, list[int]] = {}
    messages = [message for batch in batches([kept(event) for event in log]) for message in batch]
    assert [message.body for message in messages] == [event.envelope.encode() for event in log]
    for event, message in zip(log, messages, strict=True):
        before = past.setdefault(event.envelope.subject, [])
        if EXPECTED in message.headers:
            assert int(message.headers[EXPECTED]) == (before[-1] if before else 0)
            assert message.headers.get(TRAIL, "") == trail_after(before)
        else:
            assert before[-1] == event.seq - 1
            assert int(message.headers[PART]) > 0
        before.append(event.seq)


async def test_no_batch_decides_twice_on_one_aggregate_and_each_names_what_it_follows() -> None:
    for batch in batches([kept(event) for event in await told()]):
        decided = [message.headers[f"{EXPECTED}-Subject"] for message in batch if EXPECTED in message.headers]
        assert len(decided) == len(set(decided))
        assert [FOLLOWS in message.headers for message in batch] == [True] + [False] * (len(batch) - 1)


def body(number: int) -> bytes:
    return b'{"no":%d}' % number


def test_a_batch_is_bounded() -> None:
    log = [Kept(n, f"aps.v1.target.t{n}.registered", body(n)) for n in range(1, 2 * AT_ONCE + 2)]
    assert [len(batch) for batch in batches(log)] == [AT_ONCE, AT_ONCE, 1]


def test_a_missing_sequence_is_never_restored_over() -> None:
    with pytest.raises(Broken, match="sequence 2 is missing; the next is 3"):
        batches([Kept(1, "aps.v1.a.b.c", body(1)), Kept(3, "aps.v1.a.b.c", body(3))])


def test_times_never_run_backwards_in_a_restored_log() -> None:
    times = ["2026-01-01T10:00:00.123456789Z", "2026-01-01T09:00:00Z", "", "2026-01-01T11:00:00+00:00"]
    log = [Kept(n, f"aps.v1.target.t{n}.x", body(n), time) for n, time in enumerate(times, start=1)]
    found = [message.headers["Aps-Stored-At"] for batch in batches(log) for message in batch]
    assert found == ["2026-01-01T10:00:00.123456+00:00"] * 3 + ["2026-01-01T11:00:00.000000+00:00"]


def test_bytes_of_a_message_are_kept_whatever_they_are() -> None:
    one = Message("DEAD_LETTERS", 1, "aps.dead.qa.1", {"A": "b"}, b"\xff\x00")
    assert one.line().fields["base64"] == base64.b64encode(b"\xff\x00").decode()
