"""Says what a refusal of the server means: its status, its words, its wish to be asked later."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from schemas.engine import FailureKind

LONGEST_WAIT = 86_400.0


class Unanswered(Exception):  # noqa: N818 -- what happened
    """The server gave no usable answer; the engine tells it as `Failed`."""

    def __init__(self, kind: FailureKind, reason: str, retry_after: float | None = None) -> None:
        """Name the kind and the reason; `retry_after` in seconds, where the server said so."""
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True)
class Complaint:
    """What a server says is wrong: its words and its code for it, both possibly empty.

    `is_error` where it came as an error object, whatever the status said.
    """

    message: str = ""
    code: str = ""
    is_error: bool = False


_BY_STATUS: Mapping[int, FailureKind] = {
    401: FailureKind.UNAUTHORIZED,
    402: FailureKind.UNAUTHORIZED,  # an empty account: as final as a wrong key until a person acts
    403: FailureKind.UNAUTHORIZED,
    408: FailureKind.TIMED_OUT,
    409: FailureKind.SERVER_ERROR,
    413: FailureKind.CONTEXT_TOO_LARGE,
    425: FailureKind.SERVER_ERROR,
    429: FailureKind.RATE_LIMITED,
    501: FailureKind.NOT_CAPABLE,
    503: FailureKind.OVERLOADED,
    529: FailureKind.OVERLOADED,
}
# Codes and words by which servers name a cause that their status hides. The first that fits decides.
_BY_WORDS: tuple[tuple[FailureKind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            FailureKind.UNAUTHORIZED,
            r"insufficient_quota|insufficient.balance|invalid_api_key|api key not valid",
        ),
        (FailureKind.REFUSED, r"content_policy|content_filter|content management policy|moderation"),
        (
            FailureKind.CONTEXT_TOO_LARGE,
            r"context_length|context (?:length|window|size)|maximum context|prompt is too long"
            r"|too many (?:input )?tokens|input is too long",
        ),
        (
            FailureKind.UNKNOWN_MODEL,
            r"model_not_found|unknown_model|(?:unknown|invalid|no such) model|no endpoints found"
            r"|\bmodel\b.{0,120}?(?:not found|not exist|is unknown|not a valid model)",
        ),
    )
)
_ANY_WORD = frozenset(kind for kind, _ in _BY_WORDS)
_WORDS_DECIDE: Mapping[int, frozenset[FailureKind]] = {
    400: _ANY_WORD,
    403: frozenset({FailureKind.REFUSED, FailureKind.UNKNOWN_MODEL}),
    404: _ANY_WORD,
    422: _ANY_WORD,
    429: frozenset({FailureKind.UNAUTHORIZED}),  # its "too many tokens" means those of a minute
}
# Codes of errors that come inside a stream, where the status was 200 already.
_STATUS_OF: Mapping[str, int] = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "overloaded_error": 529,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "content_policy_violation": 400,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "invalid_api_key": 401,
    "authentication_error": 401,
}


def kind_of(status: int, complaint: Complaint) -> FailureKind:
    """Classify a refusal; a status that says little leaves the word to the server's own words."""
    said = f"{complaint.code} {complaint.message}"
    for kind, pattern in _BY_WORDS:
        if kind in _WORDS_DECIDE.get(status, ()) and pattern.search(said):
            return kind
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return FailureKind.SERVER_ERROR if status >= 500 else FailureKind.NOT_CAPABLE


def status_told(code: str) -> int:
    """Read the status out of an error that came in a stream; one that names none counts as the server's."""
    return int(code) if re.fullmatch(r"[45]\d\d", code) else _STATUS_OF.get(code, 500)


def wait_told(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read how many seconds the server wants to be left alone; None where it says nothing sensible."""
    exact = _number(headers.get("retry-after-ms", ""))
    if exact is not None:
        return _bounded(exact / 1000)
    told = headers.get("retry-after", "")
    seconds = _number(told)
    return _bounded(seconds) if seconds is not None else _until(told, now)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text.strip()) else None


def _until(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        aware = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return _bounded((aware - now).total_seconds())


def _bounded(seconds: float) -> float:
    return min(max(math.ceil(seconds * 1000) / 1000, 0.0), LONGEST_WAIT)
