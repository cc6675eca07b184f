"""The small parts of the engine behind a server: prices, bounds, masks, pieces of an answer."""

from datetime import UTC, datetime

import pytest

from schemas.engine import Billing, FailureKind
from services.engines.openai_compatible import words
from services.engines.openai_compatible.chunks import CallPart, Chunk, Reply, ToolCall, read_chunk
from services.engines.openai_compatible.endpoint import Endpoint
from services.engines.openai_compatible.failing import Complaint, kind_of, wait_told
from services.engines.openai_compatible.pricing import FREE, Price, Prices
from services.engines.openai_compatible.requests import Feature, feature_refused
from services.engines.openai_compatible.speaking import Speaking
from services.engines.port import Progress
from tests.chat_api import KEY

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
ALL = frozenset(Feature)


def test_a_price_is_rounded_up_and_the_cache_has_its_own() -> None:
    price = Price(read=3_000_000, written=15_000_000, cached=300_000)
    assert price.micros(read=1, cached=0, written=0) == 3
    assert price.micros(read=1, cached=1, written=0) == 1
    assert price.micros(read=1_000, cached=400, written=10) == 600 * 3 + 120 + 150
    assert Price(2_000_000, 0).micros(read=5, cached=5, written=0) == 10


def test_who_pays_follows_from_the_price() -> None:
    assert FREE.billing is Billing.FREE
    assert Price(1, 0).billing is Billing.PRICE


def test_a_model_has_its_own_price_or_that_of_any_other_or_none() -> None:
    table = {"m": Price(1, 1)}
    assert Prices(table).of("m") == Price(1, 1)
    assert Prices(table).of("n") is None
    assert Prices(table, FREE).of("n") is FREE


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"retry-after": "Mon, 23 Nov 2026 06:01:30 GMT"}, 90.0),
        ({"retry-after": "Mon, 23 Nov 2026 07:01:30 +0100"}, 90.0),
        ({"retry-after": "Mon, 23 Nov 2026 05:00:00 GMT"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "Mon, 99 Nov 2026 06:01:30 GMT"}, None),
    ],
)
def test_a_wish_to_be_left_alone_is_read(told: dict[str, str], seconds: float | None) -> None:
    assert wait_told(told, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (400, "The model `gpt-9.1` does not exist or you do not have access", FailureKind.UNKNOWN_MODEL),
        (400, "the request exceeds the available context size", FailureKind.CONTEXT_TOO_LARGE),
        (400, "prompt is too long: 210000 tokens > 200000", FailureKind.CONTEXT_TOO_LARGE),
        (404, 'model "llama9" not found, try pulling it first', FailureKind.UNKNOWN_MODEL),
        (429, "Rate limit reached for model m: too many tokens", FailureKind.RATE_LIMITED),
        (500, "model not found in the cache", FailureKind.SERVER_ERROR),
        (418, "a teapot", FailureKind.NOT_CAPABLE),
        (204, "", FailureKind.NOT_CAPABLE),
        (599, "", FailureKind.SERVER_ERROR),
    ],
)
def test_a_refusal_is_classified_by_status_and_words(status: int, said: str, kind: FailureKind) -> None:
    assert kind_of(status, Complaint(said)) is kind


@pytest.mark.parametrize(
    ("status", "said", "feature"),
    [
        (400, "response_format is not supported", Feature.SCHEMA),
        (400, "json mode cannot be combined with tool calling", Feature.SCHEMA),
        (422, "stream_options: extra fields", Feature.USAGE),
        (400, "does not support tools", Feature.TOOLS),
        (400, "seed is not supported", None),
        (500, "response_format", None),
    ],
)
def test_a_feature_that_a_server_does_not_know_is_recognised(
    status: int, said: str, feature: Feature | None
) -> None:
    assert feature_refused(status, said, ALL) is feature


def test_a_feature_that_was_not_used_is_not_what_was_refused() -> None:
    assert feature_refused(400, "response_format", ALL - {Feature.SCHEMA}) is None


@pytest.mark.parametrize("size", [1, 5])
def test_no_line_of_progress_ends_within_the_key(size: int) -> None:
    hidden = Endpoint("https://server", KEY, "m", Prices()).hidden()
    for before in range(hidden.longest + 100):
        text = "x" * before + KEY + "y" * 400
        told: list[Progress] = []
        speaking = Speaking(told.append, hidden)
        for at in range(0, len(text), size):
            speaking.add(text[at : at + size])
        speaking.end()
        assert "".join(each.text for each in told) == "x" * before + "[***]" + "y" * 400


def reply(*parts: CallPart) -> Reply:
    made = Reply(1_000)
    for part in parts:
        data = {"choices": [{"delta": {"tool_calls": [part.model_dump()]}}]}
        made.take(Chunk.model_validate(data))
    return made


def part(index: int | None, id: str | None, name: str | None, arguments: str | None) -> CallPart:
    return CallPart.model_validate(
        {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}
    )


def test_calls_are_put_together_from_pieces_that_mix() -> None:
    pieces = (
        part(0, "a", "f", "{"),
        part(1, "b", "g", ""),
        part(0, None, None, "}"),
        part(1, None, None, "{}"),
    )
    assert reply(*pieces).turn().calls == (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))


@pytest.mark.parametrize("index", [None, 0])
def test_calls_without_an_index_of_their_own_are_told_apart_by_id(index: int | None) -> None:
    pieces = (part(index, "a", "f", "{}"), part(index, "b", "g", "{"), part(index, None, None, "}"))
    assert reply(*pieces).turn().calls == (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))


def test_only_the_first_choice_counts() -> None:
    made = Reply(1_000)
    made.take(read_chunk('{"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "stop"}]}'))
    assert (made.turn().text, made.turn().finish) == ("", "")


def test_a_key_is_hidden_and_a_mere_word_is_left() -> None:
    told = f"<{KEY}> there are none"
    hidden = [Endpoint("https://server", key, "m", Prices()).hidden() for key in (KEY, "none", "")]
    assert [each.text(told) for each in hidden] == ["<[***]> there are none", told, told]


def test_the_words_to_a_model_have_no_place_left_open() -> None:
    said = words.working_on_files() + words.answer_in_words("{}") + words.repair("wrong")
    assert "{{" not in said
    assert len(words.version()) == 12
