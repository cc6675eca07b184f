"""Whatever is altered of the log, the journal or the signed heads is reported, with its place."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.envelope import NO_HASH
from events.evidence.head_proof import DATABASE, STREAM
from events.evidence.heads import sign
from events.evidence.verify import LOG
from events.jetstream.stream_reader import EXPECTED
from events.store import Recorded
from projections.journal import JournalRow
from projections.journal import lines as journal_lines
from projections.journal_proof import JOURNAL
from tests.exported_log import THEIRS, export_of, faults_of, heads_of, stored
from tests.projection_facts import START
from tests.spoilt_system import END, EVENTS, EVERY, HEADS, System, next_head, places, rewritten

seqs = st.integers(1, END)


def anywhere(**places: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Try a few places; the log has not many."""
    return lambda test: settings(max_examples=20)(given(**places)(test))


both = pytest.mark.parametrize("journal", [True, False], ids=["with its journal", "without a journal"])


def test_an_untouched_system_has_no_fault() -> None:
    assert System().faults() == []
    system = System(database=HEADS[:2], stream=HEADS[:2])
    assert system.faults() == [], "what follows the last head is not signed yet"
    alone = System(database=[], stream=[])
    alone.forget_the_journal()
    assert alone.faults() == []


def alone_or_not(*, journal: bool) -> System:
    system = System()
    if not journal:
        system.forget_the_journal()
    return system


@both
@anywhere(seq=seqs)
def test_an_altered_event_is_told_at_its_place(journal: bool, seq: int) -> None:
    system = alone_or_not(journal=journal)
    event = EVENTS[seq - 1]
    altered = replace(event, envelope=replace(event.envelope, actor="mallory"))
    system.messages[seq - 1] = stored(altered)
    assert seq in places(system.faults())


@both
@anywhere(seq=seqs)
def test_an_altered_event_is_told_though_every_hash_was_made_to_fit(journal: bool, seq: int) -> None:
    system = alone_or_not(journal=journal)
    event = EVENTS[seq - 1]
    altered = replace(event, envelope=replace(event.envelope, actor="mallory"))
    system.republish([stored(e) for e in rewritten([*EVENTS[: seq - 1], altered, *EVENTS[seq:]])])
    found = places(system.faults())
    assert (seq if journal else next_head(seq)) in found
    assert min(found) >= seq


@both
@anywhere(seq=seqs)
def test_a_removed_event_is_told(journal: bool, seq: int) -> None:
    system = alone_or_not(journal=journal)
    del system.messages[seq - 1]
    assert (seq + 1 if seq < END else seq - 1) in places(system.faults())


@both
@anywhere(seq=seqs)
def test_a_removed_event_is_told_though_a_fresh_stream_closed_the_gap(journal: bool, seq: int) -> None:
    system = alone_or_not(journal=journal)
    system.republish([stored(e) for e in rewritten([*EVENTS[: seq - 1], *EVENTS[seq:]])])
    found = places(system.faults())
    place = min(seq, END - 1) if journal else min(next_head(seq), END - 1)
    assert place in found
    assert min(found) >= min(seq, END - 1)


@both
@anywhere(pair=st.lists(seqs, min_size=2, max_size=2, unique=True))
def test_two_exchanged_events_are_told(journal: bool, pair: list[int]) -> None:
    system = alone_or_not(journal=journal)
    first, second = sorted(pair)
    bodies = list(system.messages)
    bodies[first - 1], bodies[second - 1] = bodies[second - 1], bodies[first - 1]
    system.republish(bodies)
    found = places(system.faults())
    if journal:
        assert {first, second} <= found
    assert found & set(range(first, next_head(second) + 1))


@both
@anywhere(seq=seqs)
def test_an_aggregate_deleted_wholly_is_told(journal: bool, seq: int) -> None:
    system = alone_or_not(journal=journal)
    gone = EVENTS[seq - 1].envelope.subject
    left = [event for event in EVENTS if event.envelope.subject != gone]
    begin = next(event.seq for event in EVENTS if event.envelope.subject == gone)
    system.republish([stored(e) for e in rewritten(left)])
    found = places(system.faults())
    place = begin if journal else next_head(begin)
    assert min(place, len(left)) in found


@both
@anywhere(seq=seqs)
def test_a_forged_event_put_in_between_is_told(journal: bool, seq: int) -> None:
    system = alone_or_not(journal=journal)
    forged = replace(EVENTS[seq - 1], envelope=replace(EVENTS[seq - 1].envelope, actor="mallory"))
    system.republish([stored(e) for e in rewritten([*EVENTS[: seq - 1], forged, *EVENTS[seq - 1 :]])])
    found = places(system.faults())
    assert (seq if journal else next_head(seq)) in found


@anywhere(seq=seqs, fitting=st.booleans())
def test_a_forged_event_appended_is_told_when_it_does_not_fit(seq: int, fitting: bool) -> None:
    forged = replace(EVENTS[seq - 1].envelope, actor="mallory")
    body = stored(Recorded(END + 1, forged.sealed() if fitting else forged))
    system = System()
    system.messages.append(body)
    assert END + 1 in places(system.faults())


@both
@anywhere(left=st.integers(0, END - 1))
def test_a_tail_cut_before_the_last_signed_head_is_told(journal: bool, left: int) -> None:
    system = alone_or_not(journal=journal)
    system.messages = system.messages[:left]
    gone = [fault for fault in system.faults() if "gone" in fault.what]
    assert (left, LOG) in [(fault.seq, fault.where) for fault in gone]
    assert any(HEADS[-1].time in fault.what for fault in gone)


changes: dict[str, Callable[[JournalRow], Any]] = {
    "aggregate": lambda row: "batch" if row.aggregate != "batch" else "target",
    "id": lambda row: row.id + "x",
    "version": lambda row: row.version + 1,
    "type": lambda row: row.type + "x",
    "hash": lambda row: "f" * 64,
    "chain": lambda row: "f" * 64,
    "envelope": lambda row: row.envelope.replace('"actor":"pm"', '"actor":"mallory"'),
}


@pytest.mark.parametrize("column", changes)
@anywhere(seq=seqs)
def test_an_altered_line_of_the_journal_is_told_once_at_its_place(column: str, seq: int) -> None:
    system = System()
    row = system.journal[seq]
    system.journal[seq] = replace(row, **{column: changes[column](row)})
    (fault,) = system.faults()
    assert (fault.seq, fault.where) == (seq, JOURNAL)
    assert column in fault.what


@anywhere(seq=seqs)
def test_a_line_removed_from_the_journal_is_told_at_its_place(seq: int) -> None:
    system = System()
    del system.journal[seq]
    (fault,) = system.faults()
    assert (fault.seq, fault.where) == (seq, JOURNAL)
    assert fault.what == f"the line of {EVENTS[seq - 1].envelope.subject} is missing"


@anywhere(seq=st.integers(END + 1, END + 9) | st.integers(-3, 0), of=seqs)
def test_a_line_put_into_the_journal_is_told_at_its_place(seq: int, of: int) -> None:
    system = System()
    system.journal[seq] = replace(system.journal[of], seq=seq)
    (fault,) = system.faults()
    assert (fault.seq, fault.what) == (seq, "the line was added")


@anywhere(seq=seqs)
def test_a_journal_rewritten_from_a_place_on_is_told_from_there(seq: int) -> None:
    system = System()
    event = replace(EVENTS[seq - 1], envelope=replace(EVENTS[seq - 1].envelope, actor="mallory"))
    forged = rewritten([*EVENTS[: seq - 1], event, *EVENTS[seq:]])
    system.journal = {row.seq: row for row in journal_lines(forged, NO_HASH)}
    assert min(places(system.faults())) == seq


@anywhere(seq=seqs)
def test_a_log_and_a_journal_rewritten_alike_are_told_at_the_next_signed_head(seq: int) -> None:
    system = System()
    event = replace(EVENTS[seq - 1], envelope=replace(EVENTS[seq - 1].envelope, actor="mallory"))
    forged = rewritten([*EVENTS[: seq - 1], event, *EVENTS[seq:]])
    system.journal = {row.seq: row for row in journal_lines(forged, NO_HASH)}
    system.republish([stored(e) for e in forged])
    faults = system.faults()
    assert min(places(faults)) == next_head(seq)
    assert "is not the one signed at" in faults[0].what


copies = pytest.mark.parametrize(("copy", "where"), [("database", DATABASE), ("stream", STREAM)])
which = st.integers(0, len(HEADS) - 1)


@copies
@pytest.mark.parametrize("changed", ["previous", "chain", "time", "key", "signature"])
@anywhere(at=which)
def test_an_altered_head_is_told_at_its_place(copy: str, where: str, changed: str, at: int) -> None:
    system = System()
    heads = getattr(system, copy)
    old = getattr(heads[at], changed)
    other = old + 1 if isinstance(old, int) else ("0" if old[0] != "0" else "1") + old[1:]
    heads[at] = replace(heads[at], **{changed: other})
    assert (HEADS[at].seq, where) in [(fault.seq, fault.where) for fault in system.faults()]


@copies
@anywhere(at=which)
def test_a_head_signed_with_another_key_is_told(copy: str, where: str, at: int) -> None:
    system = System()
    heads = getattr(system, copy)
    head = heads[at]
    heads[at] = sign(head.seq, head.previous, head.chain, START, THEIRS)
    (fault,) = system.faults()
    assert (fault.seq, fault.where) == (head.seq, where)
    assert f"signed with key {THEIRS.public.id}, which is not trusted" in fault.what


@anywhere(at=which)
def test_a_head_taken_from_the_database_is_told(at: int) -> None:
    system = System()
    gone = system.database.pop(at)
    (fault,) = system.faults()
    assert (fault.seq, fault.where) == (gone.seq, DATABASE)


@anywhere(at=st.integers(0, len(HEADS) - 2))
def test_a_head_taken_from_both_copies_is_told_at_the_next(at: int) -> None:
    system = System()
    del system.database[at], system.stream[at]
    (fault,) = system.faults()
    assert (fault.seq, fault.where) == (HEADS[at + 1].seq, DATABASE)


@anywhere(seq=seqs, kind=st.sampled_from(["altered", "removed", "doubled"]))
def test_an_export_written_by_a_forger_is_told_by_the_trusted_key(seq: int, kind: str) -> None:
    event = replace(EVENTS[seq - 1], envelope=replace(EVENTS[seq - 1].envelope, actor="mallory"))
    middle = {"altered": [event], "removed": [], "doubled": [event, event]}[kind]
    forged = rewritten([*EVENTS[: seq - 1], *middle, *EVENTS[seq:]])
    own = heads_of(forged, EVERY, THEIRS)
    assert faults_of(export_of(forged, own, THEIRS)), "with heads and a seal of the forger"
    faults = faults_of(export_of(forged, HEADS, None))
    assert min(next_head(seq), len(forged)) in places(faults), "with the true heads and no seal"


def test_a_way_back_that_misses_the_event_before_is_told() -> None:
    system = System()
    misled = system.messages[-1]._replace(headers={EXPECTED: "0"})
    system.messages[-1] = misled
    (fault,) = system.faults()
    assert (fault.seq, "way back leads to sequence 0" in fault.what) == (misled.seq, True)
