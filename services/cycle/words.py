"""The words a person reads for what became of improvements, the same in the table and in the report."""

from enum import StrEnum

from events.improvement import ENDED, LANDED
from schemas.improvement import Status
from services.cycle.outcome import Outcome, Result


class Standing(StrEnum):
    """How an improvement stands, in a person's words."""

    LANDED = "landed"
    PARTLY = "partly landed"
    WAITING = "waiting"
    REFUSED = "refused"
    DECLINED = "declined"
    TAKEN_BACK = "taken back"
    NOT_DEPLOYED = "not deployed"
    UNDER_WAY = "under way"


WORDS: dict[str, Standing] = {
    Status.DEPLOYMENT_COMPLETE: Standing.LANDED,
    Status.PARTLY_LANDED: Standing.PARTLY,
    Status.ABANDONED: Standing.REFUSED,
    Status.DECLINED: Standing.DECLINED,
    Status.ROLLED_BACK: Standing.TAKEN_BACK,
}


def standing(outcome: Outcome, one: Result) -> Standing:
    """Return how an improvement of the outcome stands."""
    if one.status not in (*LANDED, *ENDED) and any(one.id == waiting.id for waiting in outcome.waiting):
        return Standing.WAITING
    if one.status == Status.ROLLED_BACK and one.commit is None:
        return Standing.NOT_DEPLOYED
    return WORDS.get(one.status, Standing.UNDER_WAY)


def change_of(outcome: Outcome, rule: str) -> str:
    """Return a rule's findings before and after, such as `7→0`."""
    counts = outcome.findings.get(rule)
    return f"{counts.before}→{counts.after}" if counts else ""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where that is due."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: int) -> str:
    """Return a duration such as `5 min 56 s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def totals(outcome: Outcome) -> str:
    """Return the whole cycle in one line."""
    before, after = outcome.tests_before, outcome.tests_after
    failed = f", {before.failed} failed before, {after.failed} after" if before.failed or after.failed else ""
    parts = (
        f"{len(outcome.landed)} of {counted(len(outcome.improvements), 'improvement')} landed",
        f"findings {outcome.findings_before}→{outcome.findings_after}",
        f"tests passed {before.passed}→{after.passed}{failed}",
        counted(outcome.suite_runs, "suite run"),
        duration(outcome.seconds),
        counted(outcome.events, "event"),
    )
    return " · ".join(parts)
