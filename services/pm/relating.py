"""Finds how a request stands to what else is under way on its target, and ends what would be done twice.

Rules
1. A request is compared with what was found before it and is not finished: so of two that want the same,
   asked for at once, the first is done.
2. Both improvements tell the relation, each from its side, in one append.
3. A duplicate ends with that as its reason, never silently; `aps improvements retry` has it done anyway.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from events.envelope import Cause
from events.improvement import IMPROVEMENT, UNFINISHED, Improvement
from events.improvement_facts import Abandoned, Related
from events.target import Target
from schemas.improvement import Relation, Status
from services.actions.comparing import COMPARE, nearest
from services.actions.performing import RULES, Made, perform
from services.actions.relations import Compared, Comparison, Judgement, Known, seen_from
from services.asking.consulting import Consultant
from services.pm.asked import SOURCE
from services.runtime.log import Change, Log

OPEN = (*UNFINISHED, Status.APPROVED)
NEVER = datetime.max.replace(tzinfo=UTC)
REASON = 600
States = Mapping[str, Improvement]


async def related(
    book: Log, consultant: Consultant | None, id: str, target: Target, only: str, cause: Cause
) -> bool:
    """Compare the request `id` with the others of its target and record how it stands to them.

    `only` names the engine to ask, if one. Return whether it ended as a duplicate. Raises as `perform` does.
    """
    ids = (one for scan in target.scans.values() if scan.done for one in scan.done.improvements)
    states = await book.states(IMPROVEMENT, dict.fromkeys((id, *ids)))
    comparison = comparison_of(id, states)
    if comparison is None:
        return False
    made = await perform(COMPARE, comparison, consultant, cause, improvement=id, only=only)
    mine = tuple(facts_of(id, made, asked=consultant is not None))
    ended = _ended(id, mine, states)
    changes = [Change(IMPROVEMENT, id, (*mine, *ended))] if mine else []
    changes += [Change(IMPROVEMENT, one.other, (_mirrored(id, one),)) for one in mine]
    if changes:
        await book.record_all(changes, cause)
    return bool(ended)


def comparison_of(id: str, states: States) -> Comparison | None:
    """Return what a request is to be compared with; None where there is nothing."""
    about = _compared(id, states[id])
    told = {fact.other for fact in states[id].relations}
    others = tuple(
        _compared(other, state)
        for other, state in states.items()
        if state.status in OPEN and other not in told and _at(other, state) < _at(id, states[id])
    )
    if not others:
        return None
    chosen = nearest(about, others)
    ids = {id, *(one.id for one in chosen)}
    return Comparison(id=id, about=about, others=chosen, known=tuple(_known(ids, states)))


def facts_of(id: str, made: Made[Judgement], *, asked: bool) -> Iterator[Related]:
    """Return what a request tells of itself. Where an engine was `asked` in vain, the reason says so."""
    why = f" ({made.why})" if asked and made.by == RULES else ""
    for one in seen_from(id, made.value):
        yield Related(
            other=one.other,
            relation=one.relation,
            reason=f"{one.reason}{why}"[:REASON],
            evidence=one.evidence,
            judged_by=made.by,
            run=made.run,
        )


def _ended(id: str, mine: tuple[Related, ...], states: States) -> tuple[Abandoned, ...]:
    """Return the end of a duplicate."""
    for one in mine:
        if one.relation is Relation.DUPLICATE:
            status = states[one.other].status or Status.INITIALIZED
            says = f"it asks for the same as {one.other}, which is {status.value}: {one.reason}."
            again = f"To have it done all the same: aps improvements retry {id}"
            return (Abandoned(reason=f"{says} {again}"),)
    return ()


def _mirrored(id: str, fact: Related) -> Related:
    return fact.model_copy(update={"other": id, "relation": fact.relation.inverse})


def _at(id: str, state: Improvement) -> tuple[datetime, str]:
    """When an improvement was found; what was not stands behind everything."""
    return state.discovered_at or NEVER, id


def _known(ids: set[str], states: States) -> Iterator[Known]:
    for id in sorted(ids):
        for fact in states[id].relations:
            if fact.other in ids:
                yield Known(one=id, relation=fact.relation, other=fact.other)


def _compared(id: str, state: Improvement) -> Compared:
    found = state.discovered
    assert found is not None  # noqa: S101 -- the improvements of a finished scan were discovered
    return Compared(
        id=id,
        title=found.title,
        why=found.why,
        asked=found.source == SOURCE,
        rule=found.rule,
        files=state.change.files if state.change else found.files,
        sites=found.sites.sha256,
    )
