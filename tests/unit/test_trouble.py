"""What a dead letter says of a failure is said to people: no names of Python's types."""

import re
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter, itemgetter
from typing import Any

import orjson
import pytest

from events.catalogue import read_fact
from events.envelope import Unreadable, decode
from events.evidence.export import decoded
from events.memory import InMemoryEventStore
from events.store import Recorded
from events.trouble import in_words
from events.upcasting import UnknownFact
from tests.projection_facts import CYCLE, Clock, tell

NUMBER: Any = 7
PYTHON = re.compile(
    r"[A-Z]\w*Error|NoneType|'(str|int|list|dict|float|bool)' object|__init__|pydantic|Traceback"
)


@pytest.fixture
async def event() -> Recorded:
    store = InMemoryEventStore(Clock())
    await tell(store, CYCLE)
    return [event async for event in store.read_all()][3]


def test_what_does_not_fit_is_told_field_by_field(event: Recorded) -> None:
    data = dict.fromkeys(event.envelope.data)
    with pytest.raises(UnknownFact) as none:
        read_fact(replace(event.envelope, data=data))
    told = str(none.value)
    assert told.startswith(f"{event.envelope.type} {event.envelope.id}: ")
    assert f"{next(iter(data))}: " in told
    assert not PYTHON.search(told), told


@pytest.mark.parametrize(
    "body",
    [b"null", b"7", b"[]", b'"text"', b"{}", b'{"id": 1}', b"no", b"[" * 2000 + b"]" * 2000, b"\xff"],
)
@pytest.mark.parametrize("read", [decode, decoded])
def test_bytes_that_are_none_of_ours_are_told_in_words(read: Callable[[bytes], Any], body: bytes) -> None:
    with pytest.raises(Unreadable) as none:
        read(body)
    assert not PYTHON.search(str(none.value)), none.value


@pytest.mark.parametrize("field", ["id", "time", "type", "actor"])
def test_an_envelope_with_a_field_of_another_kind_is_told_in_words(event: Recorded, field: str) -> None:
    spoilt = orjson.dumps({**orjson.loads(event.envelope.encode()), field: None})
    with pytest.raises(Unreadable) as none:
        decode(spoilt)
    assert not PYTHON.search(str(none.value)), none.value


@pytest.mark.parametrize(
    "fail",
    [
        lambda: attrgetter("x")(None),
        lambda: dict[str, int]()["x"],
        lambda: itemgetter(1)([]),
        lambda: "a" + NUMBER,
    ],
)
def test_an_error_of_our_own_is_told_with_its_place(fail: Callable[[], object]) -> None:
    try:
        fail()
    except Exception as problem:  # noqa: BLE001 -- whatever it is, that is what is to be told
        told = in_words(problem)
    assert re.fullmatch(r"an error of this program's own, in \S*test_trouble at line \d+", told), told


def test_whoever_says_what_happened_is_quoted() -> None:
    assert in_words(RuntimeError("no such commit")) == "no such commit"
    assert in_words(RuntimeError()) == "an error of this program's own"
