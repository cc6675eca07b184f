"""Every way in which a server of chat completions fails, and the one outcome each ends in."""

import asyncio
import gzip
import json

import pytest

from schemas.engine import FailureKind
from services.engines.port import Answered, Failed
from tests.chat_api import (
    DONE,
    KEY,
    Step,
    breaks_after,
    calls,
    chat_api,
    delta,
    error,
    event,
    finish,
    hangs,
    hangs_after,
    raw,
    refuses,
    says,
    streams,
    usage,
)
from tests.openai_asking import GOOD, asked, bounds, engine, question

PAGE = "<html><body>Welcome to the hotel's network</body></html>"
BIG = 5_000_000

PACKED = gzip.compress(bytes(20_000_000), 1)
BOMB = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
    + b"Content-Length: %d\r\n\r\n" % len(PACKED)
    + PACKED
)

FAILURES: dict[str, tuple[Step, FailureKind]] = {
    "401": (refuses(401, error("Incorrect API key", "invalid_api_key")), FailureKind.UNAUTHORIZED),
    "401 that repeats the key": (refuses(401, error(f"Bad key: {KEY}")), FailureKind.UNAUTHORIZED),
    "402": (refuses(402, error("Insufficient Balance")), FailureKind.UNAUTHORIZED),
    "403": (refuses(403, error("Country not supported")), FailureKind.UNAUTHORIZED),
    "403 by moderation": (refuses(403, error("flagged by moderation")), FailureKind.REFUSED),
    "404 of the model": (
        refuses(404, error("The model `m-1.5` does not exist", "model_not_found")),
        FailureKind.UNKNOWN_MODEL,
    ),
    "404 of the address": (refuses(404, {"detail": "Not Found"}), FailureKind.NOT_CAPABLE),
    "400 of the model": (
        refuses(400, error("m-1 is not a valid model ID: unknown model")),
        FailureKind.UNKNOWN_MODEL,
    ),
    "400 too long": (
        refuses(400, error("This model's maximum context length is 8192 tokens", "context_length_exceeded")),
        FailureKind.CONTEXT_TOO_LARGE,
    ),
    "400 of a key": (refuses(400, error("API key not valid.")), FailureKind.UNAUTHORIZED),
    "400 of a filter": (refuses(400, error("filtered", "content_filter")), FailureKind.REFUSED),
    "400 of anything": (refuses(400, error("seed must be an integer")), FailureKind.NOT_CAPABLE),
    "408": (refuses(408, ""), FailureKind.TIMED_OUT),
    "409": (refuses(409, error("lock timeout")), FailureKind.SERVER_ERROR),
    "413": (refuses(413, PAGE), FailureKind.CONTEXT_TOO_LARGE),
    "422": (refuses(422, {"detail": [{"msg": "field required"}]}), FailureKind.NOT_CAPABLE),
    "429": (refuses(429, error("Rate limit reached: too many tokens per minute")), FailureKind.RATE_LIMITED),
    "429 of an empty account": (refuses(429, error("quota", "insufficient_quota")), FailureKind.UNAUTHORIZED),
    "500": (refuses(500, error("The server had an error")), FailureKind.SERVER_ERROR),
    "502": (refuses(502, PAGE), FailureKind.SERVER_ERROR),
    "503": (refuses(503, error("overloaded")), FailureKind.OVERLOADED),
    "504": (refuses(504, ""), FailureKind.SERVER_ERROR),
    "529": (refuses(529, error("Overloaded", "overloaded_error")), FailureKind.OVERLOADED),
    "a redirect": (refuses(302, "", Location="http://127.0.0.1:1/v1"), FailureKind.NOT_CAPABLE),
    "a page": (refuses(200, PAGE), FailureKind.GARBLED),
    "a page as a stream": (streams(PAGE + "\n"), FailureKind.GARBLED),
    "an error under 200": (refuses(200, error("slow down", "rate_limit_exceeded")), FailureKind.RATE_LIMITED),
    "an answer that is not streamed": (refuses(200, {"choices": []}), FailureKind.GARBLED),
    "an error in the stream": (streams(delta(content="{"), event(error("x", "503"))), FailureKind.OVERLOADED),
    "an error text in the stream": (streams(event({"error": "out of memory"})), FailureKind.SERVER_ERROR),
    "no HTTP": (raw("SSH-2.0-OpenSSH_9.2\r\n"), FailureKind.GARBLED),
    "closed at once": (raw(b""), FailureKind.UNREACHABLE),
    "garbage in the stream": (streams("data: {]\n\n"), FailureKind.GARBLED),
    "bytes that are no text": (streams(b"data: \xff\xfe\n\n"), FailureKind.GARBLED),
    "chunks of another kind": (streams(event({"hello": 1})), FailureKind.GARBLED),
    "a bomb of compressed bytes": (raw(BOMB), FailureKind.GARBLED),
    "a bomb as a refusal": (raw(BOMB.replace(b"200 OK", b"500 NO")), FailureKind.SERVER_ERROR),
    "negative tokens": (streams(usage(read=-1)), FailureKind.GARBLED),
    "more tokens than there are": (streams(usage(read=10**30)), FailureKind.GARBLED),
    "cut within the stream": (breaks_after(delta(content="{")), FailureKind.CUT_OFF),
    "ended before [DONE]": (streams(delta(content=GOOD), finish()), FailureKind.CUT_OFF),
    "ended without a reason": (streams(delta(content=GOOD), DONE), FailureKind.CUT_OFF),
    "an endless line": (streams("data: " + "x" * (2 * BIG)), FailureKind.TOO_LARGE),
    "an answer of 5 MB in one line": (streams(delta(content="x" * BIG), DONE), FailureKind.TOO_LARGE),
    "an answer of 5 MB in pieces": (streams(*[delta(content="x" * 50_000)] * 100), FailureKind.TOO_LARGE),
    "arguments of 5 MB": (calls(("write_file", "x" * BIG)), FailureKind.TOO_LARGE),
    "a refusal": (streams(delta(refusal="I cannot help"), finish(), DONE), FailureKind.REFUSED),
    "stopped by a filter": (says("{", "content_filter"), FailureKind.REFUSED),
    "stopped by length": (says("{", "length"), FailureKind.TOO_LARGE),
    "no answer": (says(""), FailureKind.NO_ANSWER),
    "words": (says("I think it is good."), FailureKind.INVALID_ANSWER),
    "another answer": (says('{"good": "perhaps"}'), FailureKind.INVALID_ANSWER),
    "an answer with more": (says('{"good": true, "why": "", "run": "rm"}'), FailureKind.INVALID_ANSWER),
    "a nest of lists": (says("[" * 100_000), FailureKind.INVALID_ANSWER),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_ends_in_its_one_outcome(name: str) -> None:
    step, kind = FAILURES[name]
    async with chat_api(step) as api:
        outcome, _ = await asked(api, question(bounds=bounds(cost_micros=100_000_000)))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.reason) == (kind, outcome.reason)
    assert outcome.reason.isprintable()
    assert 0 < len(outcome.reason) <= 300
    assert len(outcome.transcript) <= 1_100_000


async def test_a_server_that_is_not_there_is_unreachable(free_port: int) -> None:
    outcome = await engine(f"http://127.0.0.1:{free_port}/v1").ask(question(), lambda _: None)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.UNREACHABLE
    assert outcome.reason == f"no connection to 127.0.0.1:{free_port}: Connection refused"


async def test_a_host_that_does_not_exist_is_unreachable() -> None:
    outcome = await engine("https://nowhere.invalid/v1").ask(question(), lambda _: None)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.UNREACHABLE
    assert outcome.reason.startswith("no connection to nowhere.invalid:443: ")


@pytest.mark.parametrize("step", [hangs, hangs_after(delta(content="{"))], ids=["before", "within"])
@pytest.mark.parametrize("bound", ["silence", "task"])
async def test_a_hang_ends_within_its_bound(step: Step, bound: str) -> None:
    silent, seconds = (0.2, 20.0) if bound == "silence" else (20.0, 0.2)
    async with asyncio.timeout(10), chat_api(step) as api:
        task = question(bounds=bounds(seconds=seconds))
        outcome, _ = await asked(api, task, silent_seconds=silent)
        await api.gone.wait()
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.TIMED_OUT
    assert ("silent" in outcome.reason) is (bound == "silence")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "99999999"}, 86_400.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "-5"}, None),
        ({}, None),
    ],
)
async def test_the_server_says_when_to_come_again(headers: dict[str, str], seconds: float | None) -> None:
    async with chat_api(refuses(429, error("slow down"), **headers)) as api:
        outcome, _ = await asked(api)
    assert isinstance(outcome, Failed)
    assert outcome.retry_after == seconds


async def test_what_was_generated_before_a_cut_is_paid_for_by_estimate() -> None:
    async with chat_api(breaks_after(delta(content="x" * 4_000))) as api:
        outcome, _ = await asked(api)
    assert isinstance(outcome, Failed)
    assert outcome.spent.tokens_out == 1_000
    assert outcome.spent.cost_micros >= 8_000
    assert json.loads(outcome.transcript)["tokens"]["estimated"] is True


async def test_a_refused_request_costs_nothing() -> None:
    async with chat_api(refuses(500, error("sorry"))) as api:
        outcome, _ = await asked(api)
    assert isinstance(outcome, Failed)
    assert (outcome.spent.cost_micros, outcome.spent.tokens_in, outcome.spent.turns) == (0, 0, 0)


async def test_a_bound_of_cost_ends_a_stream_that_would_pass_it() -> None:
    async with asyncio.timeout(10), chat_api(hangs_after(*[delta(content="x" * 4_000)] * 10)) as api:
        outcome, _ = await asked(api, question(bounds=bounds(cost_micros=40_000)))
        await api.gone.wait()
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.BUDGET_EXHAUSTED
    assert 40_000 < outcome.spent.cost_micros < 60_000


async def test_a_prompt_over_the_bound_of_cost_is_not_sent() -> None:
    async with chat_api(says(GOOD)) as api:
        outcome, _ = await asked(api, question(prompt="x" * 400_000, bounds=bounds(cost_micros=100_000)))
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.BUDGET_EXHAUSTED
    assert api.requests == []


async def test_one_failure_leaves_the_engine_as_it_was() -> None:
    async with chat_api(refuses(500, ""), says(GOOD)) as api:
        one = engine(api)
        first = await one.ask(question(), lambda _: None)
        second = await one.ask(question(), lambda _: None)
    assert isinstance(first, Failed)
    assert isinstance(second, Answered)
