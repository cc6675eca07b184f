"""What a run of Claude Code comes to, by what it left behind; recorded shapes of version 2.1.330."""

from typing import Any

import orjson
import pytest

from schemas.base import Frozen
from schemas.engine import Billing, FailureKind, Spent
from services.engines.claude_code.judging import Left, Verdict, judge, spent, total
from services.engines.claude_code.messages import Final, parse
from services.engines.confined.api_proxy import Trouble
from services.engines.port import Bounds, Task
from services.sandbox.port import Ended, Result

K = FailureKind


class Answer(Frozen):
    verdict: str


TASK = Task("judging", system="", prompt="", answer=Answer, bounds=Bounds(answer_bytes=100))


def final(**parts: Any) -> Final:
    said = parse(orjson.dumps({"type": "result", "subtype": "success", "num_turns": 2, **parts}))
    assert isinstance(said, Final)
    return said


def left(
    last: Final | None = None,
    *,
    exit_code: int = 0,
    ended: Ended = Ended.EXITED,
    stderr: bytes = b"",
    trouble: Trouble | None = None,
    noise: str = "",
    overlong: bool = False,
) -> Left:
    return Left(Result(ended, exit_code, b"", stderr, 1.5), last, trouble, noise, overlong)


def judged(one: Left) -> Verdict[Answer]:
    return judge(one, TASK)


GOOD = {"structured_output": {"verdict": "fine"}}


def test_an_answer_that_fits_counts() -> None:
    assert judged(left(final(**GOOD))) == Verdict(Answer(verdict="fine"))


FAILURES = {
    "its time": (left(final(**GOOD), ended=Ended.TIMED_OUT), K.TIMED_OUT),
    "its memory": (left(ended=Ended.OUT_OF_MEMORY), K.KILLED),
    "a signal": (left(exit_code=-9), K.KILLED),
    "a signal, as a shell tells it": (left(exit_code=143), K.KILLED),
    "not found": (left(exit_code=127, stderr=b"sh: no such program"), K.NOT_INSTALLED),
    "an unknown flag": (left(exit_code=1, stderr=b"error: unknown option '--x'"), K.TOO_OLD),
    "an unknown session": (
        left(exit_code=1, stderr=b"No conversation found with session ID: 1"),
        K.NO_SESSION,
    ),
    "a schema it does not know": (
        left(exit_code=1, stderr=b"--json-schema is not a valid JSON Schema"),
        K.NOT_CAPABLE,
    ),
    "noise": (left(noise="<html>"), K.GARBLED),
    "a line too long": (left(overlong=True), K.TOO_LARGE),
    "nothing": (left(), K.GARBLED),
    "no result, the API out of reach": (left(exit_code=1, trouble=Trouble(reason="refused")), K.UNREACHABLE),
    "an exit code alone": (left(final(**GOOD), exit_code=1), K.GARBLED),
    "an error with exit code 0": (left(final(**GOOD, is_error=True)), K.GARBLED),
    "turns": (left(final(subtype="error_max_turns", is_error=True), exit_code=1), K.TURNS_EXHAUSTED),
    "budget": (left(final(subtype="error_max_budget_usd", is_error=True), exit_code=1), K.BUDGET_EXHAUSTED),
    "no try at the answer left": (
        left(final(subtype="error_max_structured_output_retries", is_error=True), exit_code=1),
        K.INVALID_ANSWER,
    ),
    "too many calls": (
        left(final(is_error=True, api_error_status=403), exit_code=1, trouble=Trouble(too_many=True)),
        K.TURNS_EXHAUSTED,
    ),
    "unreachable, whatever the program calls it": (
        left(final(is_error=True, api_error_status=502), exit_code=1, trouble=Trouble(reason="refused")),
        K.UNREACHABLE,
    ),
    "broken off": (
        left(final(is_error=True, api_error="connection_failed"), exit_code=1, trouble=Trouble(cut_off=True)),
        K.CUT_OFF,
    ),
    "broken off inside": (left(final(is_error=True, api_error="connection_failed"), exit_code=1), K.CUT_OFF),
    "a long prompt": (
        left(final(is_error=True, terminal_reason="prompt_too_long"), exit_code=1),
        K.CONTEXT_TOO_LARGE,
    ),
    "a refusal with exit code 0": (left(final(stop_reason="refusal")), K.REFUSED),
    "no answer": (left(final(result="I am done.")), K.NO_ANSWER),
    "an answer of another shape": (left(final(structured_output={"verdict": 7})), K.INVALID_ANSWER),
    "an answer with more than asked": (
        left(final(structured_output={"verdict": "", "x": 1})),
        K.INVALID_ANSWER,
    ),
    "an answer too long": (left(final(structured_output={"verdict": "x" * 100})), K.TOO_LARGE),
    "a change denied": (left(final(**GOOD, permission_denials=[{"tool_name": "Edit"}])), K.TOOL_DENIED),
    "no answer, reading denied": (left(final(permission_denials=[{"tool_name": "Read"}])), K.TOOL_DENIED),
}
BY_STATUS = {
    400: K.NOT_CAPABLE,
    401: K.UNAUTHORIZED,
    402: K.UNAUTHORIZED,
    403: K.UNAUTHORIZED,
    404: K.UNKNOWN_MODEL,
    413: K.CONTEXT_TOO_LARGE,
    429: K.RATE_LIMITED,
    500: K.SERVER_ERROR,
    502: K.SERVER_ERROR,
    503: K.OVERLOADED,
    529: K.OVERLOADED,
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_one_kind(name: str) -> None:
    one, kind = FAILURES[name]
    verdict = judged(one)
    assert (verdict.value, verdict.kind) == (None, kind)
    assert verdict.reason


@pytest.mark.parametrize(("status", "kind"), BY_STATUS.items())
def test_a_status_has_one_kind_whether_the_program_tells_it_or_the_proxy(
    status: int, kind: FailureKind
) -> None:
    told = left(final(is_error=True, api_error_status=status, result="API Error"), exit_code=1)
    met = left(final(is_error=True, result="oops"), exit_code=1, trouble=Trouble(status, retry_after=7.0))
    assert (judged(told).kind, judged(met).kind) == (kind, kind)
    assert judged(met).retry_after == 7.0


def test_a_denied_look_or_command_does_not_spoil_an_answer() -> None:
    looked = final(**GOOD, permission_denials=[{"tool_name": "Read"}, {"tool_name": "Bash"}])
    assert judged(left(looked)).value == Answer(verdict="fine")


def test_a_reason_is_one_bounded_line() -> None:
    verdict = judged(left(noise="a\nb\x1b[31m" + "x" * 5000))
    assert verdict.reason.isprintable()
    assert len(verdict.reason) <= 300


USED = {
    "total_cost_usd": 0.0123456,
    "modelUsage": {
        "big": {
            "inputTokens": 10,
            "outputTokens": 20,
            "cacheReadInputTokens": 30,
            "cacheCreationInputTokens": 40,
        },
        "small": {"inputTokens": 1, "outputTokens": 2, "webSearchRequests": 0},
    },
}


def test_what_was_spent_adds_up_the_models_and_names_the_one_that_said_most() -> None:
    used = spent(left(final(**USED)), Billing.PRICE, Spent())
    assert used == Spent(
        tokens_in=81,
        tokens_out=22,
        tokens_cached=30,
        cost_micros=12346,
        billing=Billing.PRICE,
        turns=2,
        duration_ms=1500,
        model="big",
    )


def test_a_subscription_has_tokens_and_no_price() -> None:
    used = spent(left(final(**USED)), Billing.SUBSCRIPTION, Spent())
    assert (used.billing, used.cost_micros, used.tokens_out) == (Billing.SUBSCRIPTION, 0, 22)


def test_what_earlier_runs_of_the_session_used_is_not_counted_again() -> None:
    before = Spent(tokens_in=80, tokens_out=20, tokens_cached=30, cost_micros=12000)
    used = spent(left(final(**USED)), Billing.PRICE, before)
    assert (used.tokens_in, used.tokens_out, used.tokens_cached, used.cost_micros) == (1, 2, 0, 346)


def test_a_program_that_counts_each_run_by_itself_is_believed() -> None:
    before = Spent(tokens_in=500, tokens_out=500, cost_micros=1)
    assert spent(left(final(**USED)), Billing.PRICE, before).cost_micros == 12346
    assert total(final(**USED)).cost_micros == 12346


def test_without_a_result_only_the_time_is_known() -> None:
    assert spent(left(exit_code=-9), Billing.PRICE, Spent()) == Spent(billing=Billing.PRICE, duration_ms=1500)
