"""Everything the log knows of one improvement at a moment: what `aps improvements show` and its page tell."""

from datetime import datetime
from typing import TypeVar

from events.fact import AggregateType
from events.improvement import Improvement
from events.improvement_facts import ChangeRefuted, Related
from events.recorder.replay import replayed
from projections.queries import Views
from projections.views.timeline import TimelineRow
from schemas.base import Frozen
from schemas.improvement import Component, GateResult, LeftOut, Requirement, ScenarioResult, Status
from services.cycle.commands import Command
from services.dossier.shelf import Shelf
from services.runtime.log import Log

StateT = TypeVar("StateT")


class Refusal(Frozen):
    """Why a change was refused, with the whole bug report."""

    attempt: int
    reason: str
    leave_out: tuple[LeftOut, ...]
    bug_report: str


class Happening(Frozen):
    """One event of the timeline."""

    seq: int
    time: datetime
    actor: str
    fact: str
    summary: str


class Dossier(Frozen):
    """An improvement. Texts are empty, and counts 0, as long as nobody has said anything of it.

    `missing` names the artefacts that events speak of and that cannot be read; their texts are empty.
    `commands` are what a person can type next, where somebody types.
    """

    id: str
    target: str
    scan: str
    base: str
    title: str
    why: str
    source: str
    rule: str
    rank: int
    status: Status
    reason: str
    blocked: str
    needs: str
    risk: str
    risk_reasons: tuple[str, ...]
    attempts: int
    expected: int
    fixed: int
    files: tuple[str, ...]
    commit: str
    branch: str
    tests: str
    requirements: tuple[Requirement, ...]
    feature: str
    components: tuple[Component, ...]
    view: str
    decision: str
    gates: tuple[GateResult, ...]
    scenarios: tuple[ScenarioResult, ...]
    left_out_parts: tuple[LeftOut, ...]
    refusals: tuple[Refusal, ...]
    relations: tuple[Related, ...]
    commands: tuple[Command, ...]
    timeline: tuple[Happening, ...]
    missing: tuple[str, ...]
    diff: str = ""


async def dossier_of(
    shelf: Shelf,
    views: Views,
    id: str,
    state: Improvement,
    seq: int | None,
    commands: tuple[Command, ...] = (),
    *,
    diff: bool,
) -> Dossier:
    """Gather a discovered improvement that stood in `state` as of a sequence of the log; None is now."""
    found, design, verdict = state.discovered, state.design, state.verdict
    assert found is not None  # noqa: S101 -- the caller found its row
    assert state.status is not None  # noqa: S101 -- set together with it
    proof = verdict or state.change
    return Dossier(
        id=id,
        target=found.target,
        scan=found.scan,
        base=found.base,
        title=found.title,
        why=found.why,
        source=found.source,
        rule=found.rule,
        rank=state.rank,
        status=state.status,
        reason=state.reason,
        blocked=state.blocked.reason if state.blocked else "",
        needs=state.blocked.needs if state.blocked else "",
        risk=design.risk.value if design else "",
        risk_reasons=design.reasons if design else (),
        attempts=state.change.attempt if state.change else 0,
        expected=found.expected,
        fixed=proof.fixed if proof else 0,
        files=proof.files if proof else found.files,
        commit=commit_of(state),
        branch=state.deployed.branch if state.deployed else "",
        tests=state.change.tests if state.change else "",
        requirements=state.requirements.requirements if state.requirements else (),
        feature=await shelf.text(state.requirements.feature if state.requirements else None),
        components=design.components if design else (),
        view=await shelf.text(design.view if design else None),
        decision=await shelf.text(design.decision if design else None),
        gates=verdict.gates if verdict else (),
        scenarios=verdict.scenarios if verdict else (),
        left_out_parts=verdict.left_out if verdict else state.leave_out,
        refusals=tuple([await _refusal(shelf, one) for one in state.refusals]),
        relations=state.relations,
        commands=commands,
        timeline=tuple(_happening(row) for row in await views.timeline(id, seq)),
        diff=await shelf.patch(state.change.patch if diff and state.change else None),
        missing=tuple(dict.fromkeys(shelf.missing)),
    )


async def state_at(book: Log, kind: AggregateType[StateT], id: str, seq: int | None) -> StateT:
    """Return the state of an aggregate as of a sequence of the log, as a replay gives it; None is now."""
    if seq is None:
        return await book.state(kind, id)
    found = await replayed(book.store, f"{kind.name}/{id}", until=seq)
    if found is None:
        return kind.initial
    state: StateT = found.state
    return state


def commit_of(state: Improvement) -> str:
    """Return the commit that stands, else what was proven, else what was written."""
    stands = state.deployed or state.verdict or state.change
    return stands.commit if stands else ""


async def _refusal(shelf: Shelf, refused: ChangeRefuted) -> Refusal:
    return Refusal(
        attempt=refused.attempt,
        reason=refused.reason,
        leave_out=refused.leave_out,
        bug_report=await shelf.text(refused.bug_report),
    )


def _happening(row: TimelineRow) -> Happening:
    return Happening(seq=row.seq, time=row.time, actor=row.actor, fact=row.fact, summary=row.summary)
