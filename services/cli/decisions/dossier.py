"""Everything the log knows of one improvement at a moment: what `aps improvements show` tells."""

from collections.abc import Iterator
from datetime import datetime

from events.improvement import IMPROVEMENT, LANDED, Improvement
from events.improvement_facts import ChangeRefuted, Related
from events.recorder.replay import replayed
from events.target import TARGET
from projections.views.timeline import TimelineRow
from schemas.base import Frozen
from schemas.improvement import Component, GateResult, LeftOut, Requirement, ScenarioResult, Status
from services.cli.desk import Desk, LogDesk
from services.cli.invocation import invocation
from services.cli.shelf import Shelf
from services.cycle.commands import Command, shell_word
from services.workspace.checkout import Workspace

DIFF = "diff"


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

    `missing` names the artefacts that events speak of and the store does not hold; their texts are empty.
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


async def dossier_of(desk: Desk, id: str, seq: int | None, *, diff: bool) -> Dossier:
    """Gather a discovered improvement as of a sequence of the log; None is now."""
    state = await state_at(desk, id, seq)
    found, design, verdict = state.discovered, state.design, state.verdict
    assert found is not None  # noqa: S101 -- the caller found its row
    assert state.status is not None  # noqa: S101 -- set together with it
    shelf, proof = Shelf(desk.book), verdict or state.change
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
        commands=await commands_of(desk, id, state, now=seq is None),
        timeline=tuple(_happening(row) for row in await desk.views.timeline(id, seq)),
        diff=await shelf.text(state.change.patch if diff and state.change else None),
        missing=tuple(dict.fromkeys(shelf.missing)),
    )


async def state_at(desk: LogDesk, id: str, seq: int | None) -> Improvement:
    """Return the state of an improvement as of a sequence of the log, as a replay gives it."""
    found = await replayed(desk.book.store, f"{IMPROVEMENT.name}/{id}", until=seq)
    return IMPROVEMENT.initial if found is None else found.state


def commit_of(state: Improvement) -> str:
    """Return the commit that stands, else what was proven, else what was written."""
    stands = state.deployed or state.verdict or state.change
    return stands.commit if stands else ""


async def commands_of(desk: Desk, id: str, state: Improvement, *, now: bool = True) -> tuple[Command, ...]:
    """Return what a person can do with an improvement in this state; with one of the past only look."""
    commands = []
    if state.discovered and (commit := commit_of(state)):
        git = await _git(desk, state.discovered.target, landed=state.deployed is not None)
        commands.append(Command(purpose=DIFF, line=f"{git} show {commit[:12]}"))
    return tuple(commands + (list(_decisions(id, state)) if now else []))


def _decisions(id: str, state: Improvement) -> Iterator[Command]:
    about = f"{invocation()} improvements {{}} {shell_word(id)}"
    if state.status is Status.TESTING_COMPLETE:
        yield Command(purpose="let it land", line=about.format("approve"))
        yield Command(purpose="refuse it", line=f"{about.format('decline')} --reason WHY")
    elif state.status in LANDED:
        yield Command(purpose="take it back", line=about.format("rollback"))
    elif state.ended:
        yield Command(purpose="try it again", line=about.format("retry"))


async def _git(desk: Desk, target_id: str, *, landed: bool) -> str:
    """Return git as it is to be called where the commit is: in the target once landed, else in our clone."""
    workspace = Workspace(desk.ground.settings.home)
    registered = (await desk.book.state(TARGET, target_id)).registered
    if landed and registered is not None:
        return f"git -C {shell_word(str(workspace.path(registered.path)))}"
    return f"git --git-dir {shell_word(str(workspace.repository(target_id).path))}"


async def _refusal(shelf: Shelf, refused: ChangeRefuted) -> Refusal:
    return Refusal(
        attempt=refused.attempt,
        reason=refused.reason,
        leave_out=refused.leave_out,
        bug_report=await shelf.text(refused.bug_report),
    )


def _happening(row: TimelineRow) -> Happening:
    return Happening(seq=row.seq, time=row.time, actor=row.actor, fact=row.fact, summary=row.summary)
