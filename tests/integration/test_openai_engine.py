"""The engine behind a server of chat completions: what it asks, what it tells, what it hands back."""

import asyncio
import json
from typing import Any

import pytest

from schemas.engine import Billing, FailureKind
from services.engines.openai_compatible.pricing import FREE, Prices
from services.engines.port import Answered, Failed, Progress
from tests.chat_api import (
    DONE,
    KEY,
    Request,
    Wire,
    answers,
    chat_api,
    delta,
    error,
    finish,
    hangs_after,
    refuses,
    says,
    streams,
    usage,
)
from tests.openai_asking import GOOD, Verdict, asked, bounds, engine, question

WITHOUT_SCHEMA = refuses(400, error("Unknown parameter: 'response_format'."))


async def test_an_answer_is_validated_and_counted() -> None:
    async with chat_api(says(GOOD, counted=usage(read=1_000, written=100, cached=400))) as api:
        outcome, _ = await asked(api)
    assert isinstance(outcome, Answered)
    assert outcome.value == Verdict(good=True, why="it is short")
    spent = outcome.spent
    assert (spent.tokens_in, spent.tokens_out, spent.tokens_cached, spent.turns) == (1_000, 100, 400, 1)
    assert spent.cost_micros == 600 * 2 + 200 + 100 * 8
    assert (spent.billing, spent.model) == (Billing.PRICE, "m-1")


async def test_the_request_holds_the_answer_to_a_strict_schema() -> None:
    async with chat_api(answers(good=True, why="", places=[])) as api:
        await asked(api)
    (request,) = api.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    body = request.body
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["good", "why", "places"]
    assert body["stream_options"] == {"include_usage": True}
    assert "tools" not in body


async def test_without_a_key_none_is_sent() -> None:
    async with chat_api(says(GOOD)) as api:
        outcome, _ = await asked(api, key="")
    assert isinstance(outcome, Answered)
    assert "authorization" not in api.requests[0].headers


async def test_a_server_without_schemas_is_asked_in_words_and_remembered() -> None:
    async with chat_api(WITHOUT_SCHEMA, says(f"```json\n{GOOD}\n```"), says(GOOD)) as api:
        one = engine(api)
        told: list[Progress] = []
        first = await one.ask(question(), told.append)
        second = await one.ask(question(), told.append)
    assert isinstance(first, Answered)
    assert isinstance(second, Answered)
    assert first.spent.turns == 1
    assert ["response_format" in body for body in api.bodies] == [True, False, False]
    assert '"places"' in api.bodies[1]["messages"][0]["content"]
    assert [each.kind for each in told].count("retry") == 1


async def test_a_server_that_counts_no_tokens_is_asked_without_and_its_tokens_are_estimated() -> None:
    refused = refuses(422, error("stream_options: extra fields not permitted"))
    async with chat_api(refused, streams(delta(content=GOOD), finish(), DONE)) as api:
        outcome, _ = await asked(api)
    assert isinstance(outcome, Answered)
    assert outcome.spent.tokens_out == -(-len(GOOD) // 4)
    assert outcome.spent.cost_micros > 0


async def test_a_wrong_answer_is_repaired_once_with_the_reason() -> None:
    async with chat_api(says('{"good": "perhaps"}'), says(GOOD)) as api:
        outcome, told = await asked(api)
    assert isinstance(outcome, Answered)
    assert outcome.spent.turns == 2
    *_, wrong, feedback = api.bodies[1]["messages"]
    assert wrong == {"role": "assistant", "content": '{"good": "perhaps"}'}
    assert "good: Input should be a valid boolean" in feedback["content"]
    assert "why: Field required" in feedback["content"]
    assert "retry" in [each.kind for each in told]


async def test_a_second_wrong_answer_is_the_last() -> None:
    async with chat_api(says("{}")) as api:
        outcome, _ = await asked(api)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, len(api.requests)) == (FailureKind.INVALID_ANSWER, 2)
    assert len(outcome.transcript.splitlines()) == 2


async def test_a_repair_stays_within_the_turns() -> None:
    async with chat_api(says("{}")) as api:
        outcome, _ = await asked(api, question(bounds=bounds(turns=1)))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, len(api.requests)) == (FailureKind.INVALID_ANSWER, 1)


async def test_progress_is_told_before_the_answer_is_there() -> None:
    heard = asyncio.Event()

    async def waits_to_be_heard(wire: Wire, request: Request) -> None:
        await wire.start()
        await wire.chunk(delta(content='{"good": true, "why": "' + "it is rather long, but clear; " * 10))
        await heard.wait()
        for rest in (delta(content='"}'), finish(), usage(), DONE):
            await wire.chunk(rest)
        await wire.end()

    def tell(progress: Progress) -> None:
        if progress.kind == "text" and "rather long" in progress.text:
            heard.set()

    async with asyncio.timeout(10), chat_api(waits_to_be_heard) as api:
        outcome = await engine(api).ask(question(), tell)
    assert isinstance(outcome, Answered)


async def test_cancelling_closes_the_connection() -> None:
    begun = asyncio.Event()
    async with asyncio.timeout(10), chat_api(hangs_after(delta(content="a word " * 100))) as api:
        asking = asyncio.create_task(
            engine(api).ask(question(), lambda each: begun.set() if each.kind == "text" else None)
        )
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await api.gone.wait()


@pytest.mark.parametrize("size", [1, 7, 41])
async def test_a_key_that_the_server_repeats_is_hidden_everywhere(size: int) -> None:
    text = json.dumps({"good": True, "why": f"{'so it is ' * 60}{KEY}{' and more' * 60}"})
    pieces = [delta(content=text[at : at + size]) for at in range(0, len(text), size)]
    async with chat_api(streams(*pieces, finish(), usage(), DONE)) as api:
        outcome, told = await asked(api)
    assert isinstance(outcome, Answered)
    assert "[***]" in outcome.value.why
    said = " ".join(each.text for each in told)
    assert not any(KEY[at : at + 12] in said for at in range(len(KEY) - 12))


async def test_what_the_server_says_reaches_a_reason_as_one_plain_line() -> None:
    trick = "first\x1b[31m line\r\nsecond \u202e line\x00"
    async with chat_api(refuses(500, error(trick))) as api:
        outcome, _ = await asked(api)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "the server answered 500: first [31m line second line"


async def test_events_may_come_in_any_pieces_and_with_any_line_ends() -> None:
    text = "\ufeff: hello\r\n\r\n" + delta(content=GOOD) + finish() + usage() + DONE
    content = text.replace("\n", "\r\n").encode()
    async with chat_api(streams(*[content[at : at + 1] for at in range(len(content))])) as api:
        outcome, _ = await asked(api)
    assert isinstance(outcome, Answered)


async def test_a_model_without_a_price_is_not_asked() -> None:
    async with chat_api(says(GOOD)) as api:
        outcome, _ = await asked(api, question(model="m-2"))
        readiness = await engine(api, prices=Prices()).check()
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.NOT_CAPABLE
    assert "no price is known for 'm-2'" in outcome.reason
    assert "OPENAI_COMPATIBLE_PRICE, such as 2500000/10000000" in outcome.reason
    assert "no price is known for 'm-1'" in readiness.problem
    assert "OPENAI_COMPATIBLE_PRICE, such as 2500000/10000000" in readiness.cure
    assert api.requests == []


async def test_a_server_that_bills_nobody_costs_nothing() -> None:
    async with chat_api(says(GOOD)) as api:
        outcome, _ = await asked(api, prices=Prices(otherwise=FREE))
    assert isinstance(outcome, Answered)
    assert (outcome.spent.cost_micros, outcome.spent.billing) == (0, Billing.FREE)


async def test_the_model_of_the_task_is_asked() -> None:
    async with chat_api(says(GOOD)) as api:
        await asked(api, question(model="m-9"), prices=Prices(otherwise=FREE))
    assert api.bodies[0]["model"] == "m-9"


async def test_a_session_to_go_on_from_is_more_than_it_can() -> None:
    async with chat_api(says(GOOD)) as api:
        outcome, _ = await asked(api, question(session="s-1"))
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.NO_SESSION


@pytest.mark.parametrize(
    ("url", "key", "problem"),
    [
        ("ftp://server/v1", KEY, "no web address"),
        ("server/v1", KEY, "no web address"),
        ("http://server/v1", KEY, "would show the key to the network"),
        ("https://user:word@server/v1", "", "holds more than"),
        ("https://server:port/v1", KEY, "no web address"),
        ("https://server/v1", f"{KEY}\nX-More: 1", "no key has"),
    ],
)
async def test_an_address_or_key_that_cannot_be_right_is_never_used(url: str, key: str, problem: str) -> None:
    one = engine(url, key=key)
    readiness = await one.check()
    outcome = await one.ask(question(), lambda _: None)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.NOT_CAPABLE
    assert problem in readiness.problem
    assert problem in outcome.reason


@pytest.mark.parametrize(
    ("step", "ready"),
    [
        (refuses(200, {"data": []}), True),
        (refuses(404, ""), True),
        (refuses(401, error(f"wrong key {KEY}")), False),
        (refuses(503, ""), False),
    ],
)
async def test_a_check_asks_nothing_that_costs(step: Any, ready: bool) -> None:
    async with chat_api(step) as api:
        readiness = await engine(api).check()
    assert readiness.ready is ready
    assert [(request.method, request.path) for request in api.requests] == [("GET", "/v1/models")]
    assert KEY not in repr(readiness)
    assert bool(readiness.cure) is not ready


async def test_tasks_side_by_side_do_not_mix() -> None:
    async def echoes(wire: Wire, request: Request) -> None:
        await answers(good=True, why=request.body["messages"][-1]["content"])(wire, request)

    async with chat_api(echoes) as api:
        one = engine(api)
        asking = (one.ask(question(prompt=f"number {n}"), lambda _: None) for n in range(20))
        outcomes = await asyncio.gather(*asking)
    assert [each.value.why for each in outcomes if isinstance(each, Answered)] == [
        f"number {n}" for n in range(20)
    ]


def test_the_key_is_not_in_the_picture_of_an_endpoint() -> None:
    assert KEY not in repr(engine("https://server/v1")._endpoint)
