"""How the end of a call is written down."""

from typing import TypedDict

from events.run import Cancelled, Completed
from events.run import Failed as RunFailed
from schemas.artefacts import ArtefactRef
from schemas.engine import Billing, FailureKind, Spent
from services.asking.question import Mask
from services.engines.line import one_line
from services.engines.port import Answered, AnswerT, Failed

REASON_LENGTH = 500


class Used(TypedDict):
    """What every ended call says of what it used."""

    duration_ms: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_micros: int
    billing: Billing
    turns: int
    model: str
    session: str
    engine_version: str
    transcript: ArtefactRef | None
    suspicions: tuple[str, ...]


def completed(
    answered: Answered[AnswerT],
    answer: ArtefactRef,
    transcript: ArtefactRef | None,
    patch: ArtefactRef | None,
    took_ms: int,
    suspicions: tuple[str, ...] = (),
) -> Completed:
    """Return what is recorded of an answer."""
    used = _used(answered.spent, answered, transcript, took_ms, suspicions)
    return Completed(**used, answer=answer, patch=patch)


def ended(
    failed: Failed,
    transcript: ArtefactRef | None,
    took_ms: int,
    mask: Mask,
    suspicions: tuple[str, ...] = (),
) -> RunFailed | Cancelled:
    """Return what is recorded of a call without an answer."""
    used = _used(failed.spent, failed, transcript, took_ms, suspicions)
    reason = mask(one_line(failed.reason, REASON_LENGTH))
    if failed.kind is FailureKind.CANCELLED:
        return Cancelled(**used, reason=reason)
    return RunFailed(**used, reason=reason, kind=failed.kind)


def _used(
    spent: Spent,
    outcome: Answered[AnswerT] | Failed,
    transcript: ArtefactRef | None,
    took_ms: int,
    suspicions: tuple[str, ...],
) -> Used:
    return Used(
        duration_ms=spent.duration_ms or took_ms,
        tokens_in=spent.tokens_in,
        tokens_out=spent.tokens_out,
        tokens_cached=spent.tokens_cached,
        cost_micros=spent.cost_micros,
        billing=spent.billing,
        turns=spent.turns,
        model=spent.model,
        session=outcome.session,
        engine_version=outcome.version,
        transcript=transcript,
        suspicions=suspicions,
    )
