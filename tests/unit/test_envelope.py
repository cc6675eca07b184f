"""The envelope: round trips, canonical form, chain and deterministic ids."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from events.catalogue import read_fact
from events.envelope import FIELDS, NO_HASH, Cause, Envelope, Unreadable, decode, digest, envelop
from events.improvement_facts import Blocked, Discovered
from events.subjects import Address, subject
from schemas.artefacts import ArtefactRef

ADDRESS = Address("improvement", "i1", "blocked")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
CAUSE = Cause(actor="pm-1", source="/pm", correlation=str(UUID(int=1)), event=str(UUID(int=2)))

text = st.text(st.characters(exclude_categories=["Cs"]))
# what survives in RFC 8785: integers a double holds exactly, keys in ASCII, no floats
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="ascii"), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
bodies = st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1, max_size=8), values, max_size=5)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    return Envelope(
        id=str(draw(st.uuids())),
        source=draw(text),
        type="aps.improvement.blocked.v1",
        subject="improvement/i1",
        time=draw(st.datetimes(timezones=st.just(UTC))).isoformat(timespec="microseconds"),
        dataschema="urn:aps:improvement:blocked:v1",
        data=draw(bodies),
        actor=draw(text),
        correlationid=str(draw(st.uuids())),
        causationid=draw(text),
        sequence=draw(st.integers(1, 10**9)),
        prevhash=draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        traceparent=draw(text),
    ).sealed()


@given(envelopes())
def test_an_envelope_survives_the_wire(envelope: Envelope) -> None:
    assert decode(envelope.encode()) == envelope
    assert digest(decode(envelope.encode())) == envelope.hash


@given(envelopes())
def test_the_hash_is_over_the_canonical_form_of_rfc_8785(envelope: Envelope) -> None:
    body: dict[str, Any] = {f: getattr(envelope, f) for f in FIELDS if f not in ("hash", "prevhash")}
    form = envelope.prevhash.encode() + rfc8785.dumps(body)
    assert envelope.hash == hashlib.sha256(form).hexdigest()


@given(envelopes(), st.sampled_from(FIELDS))
def test_every_field_is_covered_by_the_hash(envelope: Envelope, name: str) -> None:
    if name == "hash":
        return
    value = getattr(envelope, name)
    other = {"n": 1, **value} if isinstance(value, dict) else value + (1 if isinstance(value, int) else "x")
    if other != value:
        assert digest(replace(envelope, **{name: other})) != envelope.hash


@given(text, text)
def test_a_fact_survives_its_envelope(reason: str, needs: str) -> None:
    fact = Blocked(reason=reason, needs=needs)
    envelope = envelop(fact, ADDRESS, 1, NO_HASH, CAUSE, NOON)
    assert read_fact(decode(envelope.encode())) == fact


def test_a_fact_with_parts_survives_its_envelope() -> None:
    fact = Discovered(
        target="t",
        scan="s",
        base="c",
        rank=1,
        source="ruff",
        rule="F401",
        title="Remove unused imports",
        why="They cost time",
        category="clarity",
        expected=3,
        files=("a.py", "ü.py"),
        sites=ArtefactRef(sha256="0" * 64, size=1, media_type="application/json", name="sites.json"),
        inputs="d",
    )
    address = Address("improvement", "i1", "discovered")
    envelope = envelop(fact, address, 1, NO_HASH, CAUSE, NOON)
    assert read_fact(decode(envelope.encode())) == fact
    assert envelope.address == address
    assert subject(envelope.address) == "aps.v1.improvement.i1.discovered"


def test_an_answer_has_the_same_id_at_every_repetition_and_another_for_another_place() -> None:
    def made(address: Address, version: int, cause: Cause = CAUSE) -> str:
        return envelop(Blocked(reason="r", needs="n"), address, version, NO_HASH, cause, NOON).id

    later = Cause(actor="pm-2", source="/other", correlation=CAUSE.correlation, event=CAUSE.event)
    assert made(ADDRESS, 1) == made(ADDRESS, 1, later)
    others = [made(ADDRESS, 2), made(replace(ADDRESS, id="i2"), 1)]
    others += [made(ADDRESS, 1, replace(CAUSE, event=str(UUID(int=3))))]
    assert len({made(ADDRESS, 1), *others}) == 4


@given(st.uuids(), text, st.integers(1, 10**9))
def test_the_id_of_an_answer_is_the_uuid5_of_its_cause_and_its_place(
    root: UUID, name: str, version: int
) -> None:
    address = Address("improvement", name, "blocked")
    cause = replace(CAUSE, event=str(root))
    assert cause.answer_id(address, version) == str(uuid5(root, f"improvement/{name}/{version}/blocked"))


def test_times_are_written_in_utc_whatever_zone_they_came_in() -> None:
    east = timezone(timedelta(hours=2))
    envelope = envelop(
        Blocked(reason="r", needs="n"), ADDRESS, 1, NO_HASH, CAUSE, datetime(2026, 1, 2, 14, tzinfo=east)
    )
    assert envelope.time == "2026-01-02T12:00:00.000000+00:00"
    assert envelope.at == NOON


def test_the_wire_form_is_a_cloudevent_a_person_can_read() -> None:
    envelope = envelop(Blocked(reason="größer", needs="n"), ADDRESS, 3, "a" * 64, CAUSE, NOON)
    seen = orjson.loads(envelope.encode())
    assert {"specversion", "id", "source", "type", "subject", "time", "dataschema", "data"} <= set(seen)
    assert (seen["specversion"], seen["type"]) == ("1.0", "aps.improvement.blocked.v1")
    assert (seen["sequence"], seen["prevhash"], seen["causationid"]) == (3, "a" * 64, CAUSE.event)
    assert "größer" in envelope.encode().decode()


GOOD = envelop(Blocked(reason="r", needs="n"), ADDRESS, 1, NO_HASH, CAUSE, NOON)


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"data": [1]},
        {"sequence": "1"},
        {"sequence": True},
        {"type": "nonsense"},
        {"type": 5},
        {"time": "yesterday"},
        {"time": None},
        {"subject": 5},
        {"actor": 5},
        {"prevhash": None},
    ],
    ids=str,
)
def test_what_is_no_envelope_is_unreadable(change: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        decode(orjson.dumps({**orjson.loads(GOOD.encode()), **change}))


@pytest.mark.parametrize("missing", FIELDS)
def test_a_field_replaced_by_an_unknown_one_makes_it_unreadable(missing: str) -> None:
    fields = {**orjson.loads(GOOD.encode()), "unknown": ""}
    del fields[missing]
    with pytest.raises(Unreadable):
        decode(orjson.dumps(fields))


def test_fields_with_a_usual_value_may_be_left_out() -> None:
    fields = orjson.loads(GOOD.encode())
    del fields["traceparent"], fields["specversion"]
    assert decode(orjson.dumps(fields)) == GOOD


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"nonsense", b"\xff", b"1", b'"text"'])
def test_other_bytes_are_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(body)
