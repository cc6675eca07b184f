"""The words for what an engine call came to: how it failed, what it cost, who paid."""

from enum import StrEnum

from schemas.base import Frozen


class FailureKind(StrEnum):
    """Why an engine gave no usable answer. What follows from each stands in the three sets below."""

    NOT_INSTALLED = "not_installed"
    TOO_OLD = "too_old"
    UNAUTHORIZED = "unauthorized"
    UNKNOWN_MODEL = "unknown_model"
    NOT_CAPABLE = "not_capable"
    NO_SESSION = "no_session"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    UNREACHABLE = "unreachable"
    CUT_OFF = "cut_off"
    TIMED_OUT = "timed_out"
    KILLED = "killed"
    GARBLED = "garbled"
    NO_ANSWER = "no_answer"
    INVALID_ANSWER = "invalid_answer"
    TOO_LARGE = "too_large"
    TOOL_DENIED = "tool_denied"
    TURNS_EXHAUSTED = "turns_exhausted"
    BUDGET_EXHAUSTED = "budget_exhausted"
    CONTEXT_TOO_LARGE = "context_too_large"
    REFUSED = "refused"
    CANCELLED = "cancelled"

    @property
    def again(self) -> bool:
        """Whether the same engine may well answer when it is asked again."""
        return self in _AGAIN

    @property
    def ails(self) -> bool:
        """Whether it tells of the engine rather than of the task: such failures open the circuit."""
        return self in _AILS

    @property
    def elsewhere(self) -> bool:
        """Whether another engine may answer; a spent budget or a cancelled call is the same everywhere."""
        return self not in _FINAL


_AGAIN = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.OVERLOADED,
        FailureKind.SERVER_ERROR,
        FailureKind.UNREACHABLE,
        FailureKind.CUT_OFF,
        FailureKind.KILLED,
        FailureKind.GARBLED,
        FailureKind.NO_ANSWER,
        FailureKind.INVALID_ANSWER,
    }
)
_AILS = frozenset(
    {
        FailureKind.UNAUTHORIZED,
        FailureKind.RATE_LIMITED,
        FailureKind.OVERLOADED,
        FailureKind.SERVER_ERROR,
        FailureKind.UNREACHABLE,
        FailureKind.CUT_OFF,
        FailureKind.TIMED_OUT,
        FailureKind.GARBLED,
    }
)
_FINAL = frozenset({FailureKind.BUDGET_EXHAUSTED, FailureKind.CANCELLED})


class Billing(StrEnum):
    """Who pays: a price for each token, a subscription (no price of its own), or nobody."""

    PRICE = "price"
    SUBSCRIPTION = "subscription"
    FREE = "free"


class Spent(Frozen):
    """What one call used. `cost_micros` are millionths of a US dollar, durations milliseconds.

    `tokens_in` counts all that was read, `tokens_cached` the part of it that came from the engine's cache.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_micros: int = 0
    billing: Billing = Billing.FREE
    turns: int = 0
    duration_ms: int = 0
    model: str = ""
