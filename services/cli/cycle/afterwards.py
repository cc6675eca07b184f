"""What a person is told once a cycle is over: where the result is, what is worth knowing, what to do next."""

from collections.abc import Collection, Iterator
from pathlib import Path

from schemas.improvement import Status
from services.cycle.commands import REQUEST, explaining, landing, reaching, retrying, shell_word
from services.cycle.notes import not_again
from services.cycle.outcome import Outcome, Result
from services.cycle.text import listed, plain_text
from services.cycle.words import Standing, counted, standing

SHOWN_NOTES = 6
UNDONE = (Standing.REFUSED, Standing.DECLINED, Standing.NOT_DEPLOYED)


def afterwards(outcome: Outcome, report: Path, aps: str, said: Collection[str]) -> list[str]:
    """Return the lines; `aps` begins each command, and notes in `said` are not repeated."""
    return [
        f"report:   {report}",
        *_result(outcome, aps),
        *_waiting(outcome, aps),
        *_undone(outcome, aps),
        *_again(outcome, aps),
        *_notes(outcome, said),
        *_next(outcome),
    ]


def _result(outcome: Outcome, aps: str) -> Iterator[str]:
    if not outcome.landed:
        return
    target, first = shell_word(outcome.target), outcome.landed[0].id
    yield f"result:   branch {outcome.branch} in {target}"
    yield f"diff:     git -C {target} diff {outcome.base[:12]}..{outcome.branch}"
    yield f"details:  {aps} improvements show {first}"
    yield f"undo one: {aps} improvements rollback {first}"


def _waiting(outcome: Outcome, aps: str) -> Iterator[str]:
    for one in outcome.waiting:
        yield f"waiting:  {one.id} needs {reaching(one.needs, aps)}"
    waits = {one.id for one in outcome.waiting}
    proven = [r for r in outcome.improvements if r.id in waits and r.status == Status.TESTING_COMPLETE]
    if proven and outcome.dry_run:
        yield f"land it:  {landing(outcome, aps)}"


def first_words(outcome: Outcome) -> str:
    """Say that a run found nothing new, and what earlier runs left; what it found is not its own doing."""
    parts = [f"{len(outcome.landed)} landed before"] if outcome.landed else []
    if outcome.waiting:
        parts.append(f"{len(outcome.waiting)} waiting")
    if outcome.landed:
        parts.append(f"branch {outcome.branch}")
    return f"nothing new: {', '.join(parts) or 'all of it was dealt with before'}"


def undone(outcome: Outcome) -> tuple[Result, ...]:
    """Return what a person asked for in words that ended without being done."""
    asked = (one for one in outcome.improvements if one.source == REQUEST)
    return tuple(one for one in asked if standing(outcome, one) in UNDONE)


def _undone(outcome: Outcome, aps: str) -> Iterator[str]:
    """Tell whole why a request was not done, then the commands that explain it and try it again."""
    for one in undone(outcome):
        if standing(outcome, one) is not Standing.NOT_DEPLOYED:  # that is told with what stood in the way
            yield f"not done: {one.id}: {plain_text(one.reason)}"
            yield f"explain:  {explaining(one.id, aps)}"
            yield f"again:    {retrying((one.id,), aps)}"


def _again(outcome: Outcome, aps: str) -> Iterator[str]:
    """Name what stood in the way, for it was no fault of the changes, and the commands to try them again."""
    unmoved: dict[str, list[str]] = {}
    for one in outcome.improvements:
        if standing(outcome, one) is Standing.NOT_DEPLOYED:
            unmoved.setdefault(one.reason, []).append(one.id)
    for reason, ids in unmoved.items():
        yield f"not deployed: {counted(len(ids), 'improvement')}: {plain_text(reason)}"
        yield f"mend that, then: {retrying(ids, aps)}"
    back = [one.id for one in outcome.improvements if standing(outcome, one) is Standing.TAKEN_BACK]
    if back:
        yield f"taken back: {counted(len(back), 'improvement')}; to land again: {retrying(back, aps)}"


def _notes(outcome: Outcome, said: Collection[str]) -> Iterator[str]:
    """Tell the notes; why single rules were not proposed again is left to the report."""
    aside = {not_again(rule, why) for rule, why in outcome.remembered.items()}
    notes = [note for note in outcome.notes if note not in said and note not in aside]
    for note in notes[:SHOWN_NOTES]:
        yield f"note:     {plain_text(note)}"
    if len(notes) > SHOWN_NOTES:
        yield f"note:     {counted(len(notes) - SHOWN_NOTES, 'more note')} in the report"
    if outcome.remembered:
        rules = listed(tuple(outcome.remembered))
        yield f"note:     not proposed again, as the report explains: {plain_text(rules)}"


def _after_request(outcome: Outcome) -> Iterator[str]:
    """What was asked for in words has nothing to do with rules, nor with packages to search."""
    if not outcome.nothing_new:
        return
    yield f"nothing new at {outcome.base[:12]}: the same was asked for before"
    if outcome.waiting:
        yield "try next: decide about what waits"
    elif outcome.landed:
        yield "try next: merge the branch, or ask for something else"
    else:
        yield "try next: ask in other words"


def _next(outcome: Outcome) -> Iterator[str]:
    if any(one.source == REQUEST for one in outcome.improvements):
        yield from _after_request(outcome)
    elif not outcome.scope:
        yield "nothing was searched: the target has no import package"
    elif not outcome.improvements and not outcome.remembered:
        yield "nothing that can be fixed by rule was found; try another project or other --rules"
    elif not outcome.improvements:
        rules = counted(len(outcome.remembered), "rule")
        yield f"nothing new at {outcome.base[:12]}: {rules} not proposed again"
    elif outcome.nothing_new and outcome.waiting:
        more = ", or raise --limit" if outcome.limit else ""
        yield f"nothing new at {outcome.base[:12]}: decide about what waits{more}"
    elif outcome.nothing_new:
        yield f"nothing new at {outcome.base[:12]}: what was found there was dealt with before"
        merge = "merge the branch and run again, " if outcome.landed else ""
        yield f"try next: {merge}another project (make run REPO=path), other --rules"
