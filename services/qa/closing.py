"""Closes a batch: builds what is kept once more, executes every scenario on it, and records the verdicts."""

import asyncio

from events.batch import BATCH, Closed
from events.envelope import Cause
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import ChangeRefuted, ChangeValidated
from schemas.aps_vocabulary import Phase
from schemas.artefacts import ArtefactRef
from schemas.improvement import Status
from services.changes.repeating import layer_of
from services.changes.stacking import Stacked
from services.qa.evidence import Examination, Sheet
from services.qa.material import JSON, Material
from services.qa.reporting import bug_report
from services.runtime.log import Change

MARKDOWN = "text/markdown"


async def close(material: Material, token: int, cause: Cause) -> None:
    """Give every kept member of a settled batch its verdict, in one append with the closing."""
    states = await _kept(material)
    async with material.stack() as stack:
        layers = [await layer_of(material.bench.book, id, state) for id, state in states.items()]
        stacked = await stack.build(material.formed.base, layers)
    if stacked and not await material.is_green(stacked, token, cause):
        await _give_up(material, states, stacked, token, cause)
        return
    changes, landed = await _verdicts(material, states, stacked, token, cause)
    tip = stacked[-1] if stacked else None
    closed = Closed(
        claim=token,
        tip=tip.commit if tip else material.formed.base,
        tree=tip.tree if tip else await material.repository.tree(material.formed.base),
        landed=landed,
        suite_runs=len((await material.batch()).runs),
    )
    await material.bench.book.record_all([*changes, Change(BATCH, material.id, (closed,))], cause)


async def _kept(material: Material) -> dict[str, Improvement]:
    """The members that stay; one that was refused may have been written again since, for the next batch."""
    settled = (await material.batch()).settled
    assert settled is not None  # noqa: S101 -- only a settled batch is closed
    kept = [id for id in material.formed.members if id not in settled.refused]
    states = await material.bench.book.states(IMPROVEMENT, kept)
    return {id: state for id, state in states.items() if state.status is Status.IMPLEMENTATION_COMPLETE}


async def _verdicts(
    material: Material,
    states: dict[str, Improvement],
    stacked: tuple[Stacked, ...],
    token: int,
    cause: Cause,
) -> tuple[list[Change], tuple[str, ...]]:
    if not stacked:
        return [], ()
    examination = Examination(material)
    tip = await examination.measure(stacked, token, cause)
    sheets = await examination.sheets(stacked, tip)
    report = (tip.suite or material.before).model_dump_json()
    suite = await material.bench.book.keep(report, f"{material.id}.suite.json", JSON)
    changes = await asyncio.gather(
        *(_validated(material, states[s.stacked.layer.improvement], s, suite, cause) for s in sheets)
    )
    landed = tuple(sheet.stacked.layer.improvement for sheet in sheets)
    for id, state in states.items():
        if id not in landed:
            changes.append(await _refuted(material, id, state, _why_empty(id, stacked), cause))
    return changes, landed


def _why_empty(id: str, stacked: tuple[Stacked, ...]) -> str:
    paths = [path for one in stacked if one.layer.improvement == id for path in one.overlaps]
    if paths:
        return f"it overlaps with other changes in {', '.join(paths)}: merge those first, then retry"
    return "nothing of it is left on top of the other changes"


async def _validated(
    material: Material, state: Improvement, sheet: Sheet, suite: ArtefactRef, cause: Cause
) -> Change:
    one = sheet.stacked
    fact = ChangeValidated(
        batch=material.id,
        parent=one.parent,
        commit=one.commit,
        tree=one.tree,
        files=one.applied.changed_paths,
        fixed=one.applied.fixed,
        left_out=state.leave_out,
        gates=sheet.gates,
        scenarios=sheet.scenarios,
        report=suite,
    )
    return await material.bench.handoff(one.layer.improvement, fact, Phase.TEST_RESULTS, cause)


async def _refuted(material: Material, id: str, state: Improvement, reason: str, cause: Cause) -> Change:
    report = bug_report(id, state, reason, (), None)
    fact = ChangeRefuted(
        batch=material.id,
        attempt=state.change.attempt if state.change else 1,
        reason=reason,
        bug_report=await material.bench.book.keep(report, f"{id}.bug.md", MARKDOWN),
        leave_out=(),
        nothing_left=True,
    )
    return await material.bench.handoff(id, fact, Phase.BUG_REPORT, cause)


async def _give_up(
    material: Material,
    states: dict[str, Improvement],
    stacked: tuple[Stacked, ...],
    token: int,
    cause: Cause,
) -> None:
    """Refuse what came back changed, since it broke what the search had proven; close with nothing landed."""
    run = (await material.batch()).runs[stacked[-1].tree, False]
    reason = f"built again, the changes no longer pass together: {run.reason}"
    changes = [await _refuted(material, id, state, reason, cause) for id, state in states.items()]
    closed = Closed(
        claim=token,
        tip=material.formed.base,
        tree=await material.repository.tree(material.formed.base),
        landed=(),
        suite_runs=len((await material.batch()).runs),
    )
    await material.bench.book.record_all([*changes, Change(BATCH, material.id, (closed,))], cause)
