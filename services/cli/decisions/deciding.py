"""Records what a person decides about improvements, and follows it to its outcome.

Rules
1. All improvements of one command are decided together: one that cannot be changes none.
2. What was decided already and is under way is followed, not refused: this is how an interrupted command
   goes on.
"""

from collections.abc import Awaitable, Callable, Sequence

from events.fact import Fact, Rejected
from events.improvement import IMPROVEMENT, LANDED, Improvement
from events.improvement_facts import Reprioritised
from events.target import TARGET
from schemas.base import Frozen
from schemas.improvement import Status
from services.cli.asking import because, cause
from services.cli.decisions import board
from services.cli.decisions.dossier import DIFF, commands_of
from services.cli.decisions.following import follow, refuse_given_up
from services.cli.desk import Desk, at_views
from services.cli.engine_wanted import asking_from, require_engine
from services.cli.invocation import invocation
from services.cli.session import Exit, Stop, print_json, say
from services.cli.swarm.running import EVERYONE
from services.cli.tables import show_table
from services.cycle.commands import reaching
from services.cycle.settling import settled
from services.runtime.log import Change, Log
from services.runtime.settings import Settings
from services.steering.decisions import FACTS, Decision, refusal

LANDING = ("deployer", "devops")
TAKING_BACK = ("deployer",)


class Decided(Frozen):
    """What became of one improvement."""

    id: str
    status: str
    achieved: bool
    commit: str = ""
    branch: str = ""
    rank: int = 0
    reason: str = ""
    needs: str = ""


async def approve(
    settings: Settings, ids: Sequence[str], reason: str, patience: int, *, as_json: bool
) -> None:
    """Approve proven changes and wait until they landed or failed."""
    why = because(reason, "approved")

    async with at_views(settings) as desk:
        await _record(
            desk, ids, _decided_as(Decision.APPROVE, why), lambda state: state.status is Status.APPROVED
        )
        await follow(desk, LANDING, ids, lambda: _all(desk.book, ids, _rests), patience)
        await _tell(desk, ids, lambda state: state.status in LANDED, as_json=as_json)


async def decline(
    settings: Settings, ids: Sequence[str], reason: str, patience: int, *, as_json: bool
) -> None:
    """Decline proven changes; what waited for this decision goes on."""
    declined = _decided_as(Decision.DECLINE, because(reason, "declined"))
    async with at_views(settings) as desk:
        await _record(desk, ids, declined, _never)
        await follow(desk, LANDING, ids, lambda: _all(desk.book, ids, _rests), patience)
        await _tell(desk, ids, lambda state: state.status is Status.DECLINED, as_json=as_json)


async def roll_back(
    settings: Settings,
    ids: Sequence[str],
    target: str,
    reason: str,
    patience: int,
    *,
    as_json: bool,
) -> None:
    """Take landed changes back (all of them when `ids` is empty) and wait until that is done or refused."""
    requested = _decided_as(Decision.ROLL_BACK, because(reason, "asked for"))
    async with at_views(settings) as desk:
        chosen = list(ids) or await _landed(desk, target)
        await _record(desk, chosen, requested, lambda state: state.rollback is not None)
        await follow(desk, TAKING_BACK, chosen, lambda: _all(desk.book, chosen, _answered), patience)
        await _tell(desk, chosen, lambda state: state.status is Status.ROLLED_BACK, as_json=as_json)


async def retry(settings: Settings, ids: Sequence[str], reason: str, patience: int, *, as_json: bool) -> None:
    """Begin improvements again and wait until each has ended or waits for a person."""
    retried = _decided_as(Decision.RETRY, because(reason, "asked for"))
    async with at_views(settings) as desk:
        changes = await _changes(desk, ids, retried, _under_way)
        anew = {change.id for change in changes}
        states = await desk.book.states(IMPROVEMENT, dict.fromkeys(ids))
        work = {
            id: asking_from(Status.INITIALIZED if id in anew else one.status) for id, one in states.items()
        }
        await require_engine(settings, desk, work)
        await _record_all(desk, changes)
        await follow(desk, EVERYONE, ids, lambda: _all(desk.book, ids, _rests), patience)
        await _tell(desk, ids, _landed_or_waits, as_json=as_json)


async def prioritise(settings: Settings, id: str, rank: int, reason: str, *, as_json: bool) -> None:
    """Change an improvement's rank."""
    fact = Reprioritised(rank=rank, reason=because(reason, "asked for"))
    async with at_views(settings) as desk:
        await _record(desk, [id], lambda _: fact, _never)
        await _tell(desk, [id], lambda state: state.rank == rank, as_json=as_json)


async def _landed(desk: Desk, target: str) -> list[str]:
    id = (await desk.target(target)).id if target else None
    rows = await desk.views.improvements(id)
    landed = [row.id for row in rows if row.status in LANDED]
    if not landed:
        raise Stop(Exit.NOT_FOUND, "nothing has landed that could be taken back")
    return landed


async def _record(
    desk: Desk,
    ids: Sequence[str],
    fact: Callable[[Improvement], Fact],
    under_way: Callable[[Improvement], bool],
) -> None:
    """Record one fact on each improvement where that is not `under_way`, all or none."""
    await _record_all(desk, await _changes(desk, ids, fact, under_way))


async def _record_all(desk: Desk, changes: Sequence[Change]) -> None:
    if changes:
        await desk.book.record_all(changes, cause())


async def _changes(
    desk: Desk,
    ids: Sequence[str],
    fact: Callable[[Improvement], Fact],
    under_way: Callable[[Improvement], bool],
) -> list[Change]:
    """Return one fact for each improvement where that is not `under_way`, once the rules admit them all.

    Unknown ids end the command with 3, and with 1 those whose decision a role gave up on.
    """
    changes = []
    for id in dict.fromkeys(ids):
        await board.improvement(desk, id)
        state = await desk.book.state(IMPROVEMENT, id)
        if under_way(state):
            await refuse_given_up(desk.connection, id)
            say(f"{id} is under way already: following it")
        else:
            changes.append(Change(IMPROVEMENT, id, (fact(state),)))
    for change in changes:
        await _admitted(desk, change)
    return changes


async def _admitted(desk: Desk, change: Change) -> None:
    """End the command with 5, naming the improvement and what is possible, when the rules refuse a fact."""
    state = await desk.book.state(IMPROVEMENT, change.id)
    try:
        for fact in change.facts:
            IMPROVEMENT.decide(state, fact, desk.book.clock())
    except Rejected as refused:
        possible = [c.line for c in await commands_of(desk, change.id, state) if c.purpose != DIFF]
        hint = f"; possible is: {' or '.join(possible)}" if possible else ""
        why = refusal(state, change.facts[0], refused)
        raise Stop(Exit.CONFLICT, f"{change.id} {why}{hint}") from refused


def _decided_as(decision: Decision, reason: str) -> Callable[[Improvement], Fact]:
    return lambda state: FACTS[decision](state, reason)


def _landed_or_waits(state: Improvement) -> bool:
    return state.status in LANDED or state.blocked is not None


def _under_way(state: Improvement) -> bool:
    return not state.ended and state.blocked is None and state.status is not Status.DEPLOYMENT_FAILED


def _never(_: Improvement) -> bool:
    return False


async def _all(book: Log, ids: Sequence[str], done: Callable[[Log, str], Awaitable[bool]]) -> bool:
    """Whether every improvement is done."""
    for id in ids:
        if not await done(book, id):
            return False
    return True


async def _rests(book: Log, id: str) -> bool:
    """Whether nothing more happens to an improvement unless somebody asks."""
    state = await book.state(IMPROVEMENT, id)
    assert state.discovered is not None  # noqa: S101 -- its row was there
    target = await book.state(TARGET, state.discovered.target)
    return settled(target, target.scans[state.discovered.scan], {id: state})


async def _answered(book: Log, id: str) -> bool:
    """Whether the request to take a change back was carried out or refused."""
    return (await book.state(IMPROVEMENT, id)).rollback is None


async def _tell(
    desk: Desk, ids: Sequence[str], achieved: Callable[[Improvement], bool], *, as_json: bool
) -> None:
    """Say what became of each; ends the command with 1 when one is not as it was asked."""
    results = [_decided(id, await desk.book.state(IMPROVEMENT, id), achieved) for id in dict.fromkeys(ids)]
    if as_json:
        print_json(results)
    else:
        show_table(
            ("ID!", "STATUS!", "COMMIT!", "RANK", "NOTE"),
            [(r.id, r.status, r.commit[:12], r.rank, r.reason) for r in results],
        )
    failed = [r for r in results if not r.achieved]
    if failed:
        told = "; ".join(map(_why, failed))
        raise Stop(Exit.FAILED, f"{len(failed)} of {len(results)} not as asked: {told}")
    for result in results:
        if result.needs:
            say(f"{result.id} waits for {reaching(result.needs, invocation())}")
    say("done")


def _decided(id: str, state: Improvement, achieved: Callable[[Improvement], bool]) -> Decided:
    stands = state.rolled_back or state.deployed
    return Decided(
        id=id,
        status=state.status.value if state.status else "",
        achieved=achieved(state),
        commit=stands.commit if stands else "",
        branch=state.deployed.branch if state.deployed else "",
        rank=state.rank,
        reason=state.blocked.reason if state.blocked else state.reason,
        needs=state.blocked.needs if state.blocked else "",
    )


def _why(result: Decided) -> str:
    return f"{result.id} is {result.status}{': ' + result.reason if result.reason else ''}"
