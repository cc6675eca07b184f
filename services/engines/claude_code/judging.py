"""Decides what a run of the program came to, from what it left behind; pure.

Rules, the first that applies decides:
1. A run that was ended for its time or memory, or died by a signal without a result, failed by that.
2. Without a result object nothing was answered; what the way to the API met says why, else the program.
3. A result that says of itself that it is an error is one, whatever its exit code; and the other way round.
4. An answer counts when it fits the task's model and its bound, and no edit was denied.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic

import orjson
from pydantic import ValidationError

from schemas.engine import Billing, FailureKind, Spent
from services.engines.claude_code.command_line import CHANGING
from services.engines.claude_code.messages import Final
from services.engines.confined.api_proxy import Trouble
from services.engines.line import one_line
from services.engines.port import AnswerT, Task
from services.sandbox.port import Ended, Result

LONGEST_REASON = 300
_BY_STATUS: Mapping[int, FailureKind] = {
    401: FailureKind.UNAUTHORIZED,
    402: FailureKind.UNAUTHORIZED,
    403: FailureKind.UNAUTHORIZED,
    404: FailureKind.UNKNOWN_MODEL,
    408: FailureKind.TIMED_OUT,
    413: FailureKind.CONTEXT_TOO_LARGE,
    429: FailureKind.RATE_LIMITED,
    503: FailureKind.OVERLOADED,
    529: FailureKind.OVERLOADED,
}
_BY_SUBTYPE: Mapping[str, FailureKind] = {
    "error_max_turns": FailureKind.TURNS_EXHAUSTED,
    "error_max_budget_usd": FailureKind.BUDGET_EXHAUSTED,
    "error_max_structured_output_retries": FailureKind.INVALID_ANSWER,
}
_BY_TERMINAL: Mapping[str, FailureKind] = {"prompt_too_long": FailureKind.CONTEXT_TOO_LARGE}
_BY_WORDS: tuple[tuple[re.Pattern[str], FailureKind], ...] = (
    (re.compile(r"no conversation found|session .* not found", re.IGNORECASE), FailureKind.NO_SESSION),
    (re.compile(r"unknown option", re.IGNORECASE), FailureKind.TOO_OLD),
    (re.compile(r"not a valid json schema", re.IGNORECASE), FailureKind.NOT_CAPABLE),
    (re.compile(r"credit balance|insufficient_quota", re.IGNORECASE), FailureKind.UNAUTHORIZED),
    (re.compile(r"prompt is too long", re.IGNORECASE), FailureKind.CONTEXT_TOO_LARGE),
    (re.compile(r"output token maximum", re.IGNORECASE), FailureKind.TOO_LARGE),
    (re.compile(r"usage policy", re.IGNORECASE), FailureKind.REFUSED),
)
_NOT_RUN = (126, 127)
_SIGNALLED = range(129, 160)  # as a shell tells of a death by signal


@dataclass(frozen=True)
class Left:
    """What a run left. `noise` is the first line that was no message; `overlong` tells of a line left out."""

    result: Result
    final: Final | None
    trouble: Trouble | None = None
    noise: str = ""
    overlong: bool = False


@dataclass(frozen=True)
class Verdict(Generic[AnswerT]):
    """An answer, or why there is none."""

    value: AnswerT | None
    kind: FailureKind | None = None
    reason: str = ""
    retry_after: float | None = None


def judge(left: Left, task: Task[AnswerT]) -> Verdict[AnswerT]:
    """Say what it came to."""
    for rule in (_ended, _without_result, _own_error):
        if (found := rule(left)) is not None:
            kind, reason = found
            after = left.trouble.retry_after if left.trouble is not None else None
            return Verdict(None, kind, one_line(reason, LONGEST_REASON) or kind.value, after)
    assert left.final is not None  # noqa: S101 -- the rule before last
    return _answer(left.final, task)


def total(final: Final) -> Spent:
    """Say what the whole session has used by now: a result counts what earlier runs of it used, too."""
    usages = final.model_usage
    read = [usage.input + usage.cache_read + usage.cache_written for usage in usages.values()]
    return Spent(
        tokens_in=sum(read),
        tokens_out=sum(usage.output for usage in usages.values()),
        tokens_cached=sum(usage.cache_read for usage in usages.values()),
        cost_micros=round(final.total_cost_usd * 1e6),
        model=max(usages, key=lambda name: usages[name].output, default=""),
    )


def spent(left: Left, billing: Billing, before: Spent) -> Spent:
    """Say what this run used beyond `before`; without a result only the time. A subscription has no price.

    A program that does not count earlier runs says less than before: then all it says is of this one.
    """
    duration = int(left.result.seconds * 1000)
    if left.final is None:
        return Spent(billing=billing, duration_ms=duration)
    now = total(left.final)
    base = before if _not_less(now, before) else Spent()
    return Spent(
        tokens_in=now.tokens_in - base.tokens_in,
        tokens_out=now.tokens_out - base.tokens_out,
        tokens_cached=now.tokens_cached - base.tokens_cached,
        cost_micros=now.cost_micros - base.cost_micros if billing is Billing.PRICE else 0,
        billing=billing,
        turns=left.final.num_turns,
        duration_ms=duration,
        model=now.model,
    )


def _not_less(now: Spent, before: Spent) -> bool:
    return (
        now.tokens_in >= before.tokens_in
        and now.tokens_out >= before.tokens_out
        and now.tokens_cached >= before.tokens_cached
        and now.cost_micros >= before.cost_micros
    )


Found = tuple[FailureKind, str] | None


def _ended(left: Left) -> Found:
    result = left.result
    if result.ended is Ended.TIMED_OUT:
        return FailureKind.TIMED_OUT, f"not done after {result.seconds:.0f} s"
    if result.ended is Ended.OUT_OF_MEMORY:
        return FailureKind.KILLED, "it took more memory than it may"
    if left.final is None and (result.exit_code < 0 or result.exit_code in _SIGNALLED):
        return FailureKind.KILLED, f"it died by a signal (exit code {result.exit_code})"
    return None


def _without_result(left: Left) -> Found:
    if left.final is not None:
        return None
    said = left.result.stderr.decode("utf-8", "replace").strip() or left.noise
    for rule in (_by_words(said), _by_trouble(left.trouble, said)):
        if rule is not None:
            return rule
    if left.result.exit_code in _NOT_RUN:
        return FailureKind.NOT_INSTALLED, f"it could not be run: {said}"
    if left.overlong:
        return FailureKind.TOO_LARGE, "a line of its output is longer than may be kept"
    return (
        FailureKind.GARBLED,
        f"it ended with {left.result.exit_code} and no result: {said or 'nothing said'}",
    )


def _own_error(left: Left) -> Found:
    final = left.final
    assert final is not None  # noqa: S101 -- the rule before
    if (kind := _BY_SUBTYPE.get(final.subtype)) is not None:
        return kind, final.words
    if not final.is_error and left.result.exit_code == 0:
        return (FailureKind.REFUSED, final.words) if final.stop_reason == "refusal" else None
    rules: tuple[Callable[[], Found], ...] = (
        lambda: _named(_BY_TERMINAL.get(final.terminal_reason or ""), final.words),
        lambda: _named(FailureKind.REFUSED if final.stop_reason == "refusal" else None, final.words),
        lambda: _by_words(final.words),
        lambda: _by_trouble(left.trouble, final.words),
        lambda: _named(_of_status(final.api_error_status), final.words),
    )
    found = next((found for rule in rules if (found := rule()) is not None), None)
    if found is None and final.api_error is not None:
        return FailureKind.CUT_OFF, f"{final.api_error}: {final.words}"
    return found or (FailureKind.GARBLED, f"it ended with {left.result.exit_code}: {final.words}")


def _answer(final: Final, task: Task[AnswerT]) -> Verdict[AnswerT]:
    denied = sorted({denial.tool_name for denial in final.permission_denials})
    if any(tool in CHANGING for tool in denied):
        return Verdict(None, FailureKind.TOOL_DENIED, f"it may not use {', '.join(denied)}")
    if final.structured_output is None:
        if denied:
            return Verdict(None, FailureKind.TOOL_DENIED, f"it may not use {', '.join(denied)}")
        said = one_line(final.result, LONGEST_REASON - 50)
        return Verdict(None, FailureKind.NO_ANSWER, f"it ended without the answer: {said or 'nothing said'}")
    raw = orjson.dumps(final.structured_output)
    if len(raw) > task.bounds.answer_bytes:
        size = f"the answer has {len(raw)} bytes, at most {task.bounds.answer_bytes} may be"
        return Verdict(None, FailureKind.TOO_LARGE, size)
    try:
        return Verdict(task.answer.model_validate_json(raw))
    except ValidationError as error:
        return Verdict(None, FailureKind.INVALID_ANSWER, _misfit(error))


def _misfit(error: ValidationError) -> str:
    parts = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3]]
    return one_line("the answer does not fit: " + "; ".join(parts), LONGEST_REASON)


def _by_words(said: str) -> Found:
    return next(((kind, said) for shape, kind in _BY_WORDS if shape.search(said)), None)


def _by_trouble(trouble: Trouble | None, said: str) -> Found:
    if trouble is None:
        return None
    if trouble.too_many:
        return FailureKind.TURNS_EXHAUSTED, trouble.reason
    if trouble.cut_off:
        return FailureKind.CUT_OFF, f"the API broke off: {trouble.reason}"
    if trouble.status is None:
        return FailureKind.UNREACHABLE, f"the API cannot be reached: {trouble.reason}"
    return _named(_of_status(trouble.status), said or f"the API said {trouble.status}")


def _of_status(status: int | None) -> FailureKind | None:
    if status is None:
        return None
    if (kind := _BY_STATUS.get(status)) is not None:
        return kind
    return FailureKind.SERVER_ERROR if status >= 500 else FailureKind.NOT_CAPABLE


def _named(kind: FailureKind | None, said: str) -> Found:
    return None if kind is None else (kind, said)
