"""Server-sent events out of bytes in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.engine import FailureKind
from services.engines.openai_compatible.chunks import Reply, read_chunk
from services.engines.openai_compatible.event_stream import EventData
from services.engines.openai_compatible.failing import Unanswered

LIMIT = 10_000
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n"), max_size=20)


def read(*pieces: bytes, limit: int = LIMIT) -> list[str]:
    events = EventData(limit)
    return [data for piece in pieces for data in events.feed(piece)]


@given(
    st.lists(st.lists(TEXT, min_size=1, max_size=3), max_size=5),
    st.sampled_from(["\n", "\r", "\r\n"]),
    st.data(),
)
def test_any_pieces_give_the_same_events(told: list[list[str]], end: str, data: st.DataObject) -> None:
    text = "".join("".join(f"data: {line}{end}" for line in event) + end for event in told)
    content = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=8)))
    pieces = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    assert read(*pieces) == ["\n".join(event) for event in told]


PIECES = st.sampled_from(
    [
        b"data: ",
        b"\n",
        b"\r\n\r\n",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"choices":',
        b'"delta":',
        b'"content":',
        b'"x"',
        b",",
        b'"error":',
        b"null",
        b"1e999",
        b"-1",
        b'"usage":',
        b'"tool_calls":',
        b'"index":',
        b"\xff",
        b'"\\ud800"',
        b"[DONE]",
    ]
)


@given(st.lists(PIECES | st.binary(max_size=5), max_size=30))
def test_whatever_comes_is_read_or_is_a_typed_failure(pieces: list[bytes]) -> None:
    reply = Reply(LIMIT)
    try:
        for data in read(*pieces):
            reply.take(read_chunk(data))
    except Unanswered:
        return
    reply.turn()


@pytest.mark.parametrize(
    ("content", "events"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:a\n\n", ["a"]),
        (b"data:  a\n\n", [" a"]),
        (b"data\n\n", [""]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b": ping\n\ndata: a\n\n", ["a"]),
        (b"event: x\nid: 1\nretry: 5\ndata: a\ndata: b\n\n", ["a\nb"]),
        (b"data: a\r\rdata: b\r\n\r\n", ["a", "b"]),
        (b"data: a\n", []),
        (b"\n\n\n", []),
        (b"event: x\n\n", []),
    ],
)
def test_fields_are_read_as_the_standard_says(content: bytes, events: list[str]) -> None:
    assert read(content) == events
    assert read(*(content[at : at + 1] for at in range(len(content)))) == events


@pytest.mark.parametrize("content", [b"<html>\n", b'{"error": 1}\n', b"data : a\n", b"data: \xff\n"])
def test_what_is_no_event_is_garbled(content: bytes) -> None:
    with pytest.raises(Unanswered) as caught:
        read(content)
    assert caught.value.kind is FailureKind.GARBLED


@pytest.mark.parametrize("content", [b"data: " + b"x" * LIMIT, b"data: x\n" * LIMIT, b": x\n" * LIMIT])
def test_an_event_is_bounded(content: bytes) -> None:
    with pytest.raises(Unanswered) as caught:
        read(*(content[at : at + 100] for at in range(0, len(content), 100)))
    assert caught.value.kind is FailureKind.TOO_LARGE


def test_many_small_events_are_no_large_one() -> None:
    assert len(read(b"data: abc\n\n" * LIMIT)) == LIMIT
