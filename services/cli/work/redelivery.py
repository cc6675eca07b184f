"""Lists dead letters, gives their events to the role again, or closes them without that."""

from collections.abc import Sequence

from events.improvement import IMPROVEMENT
from events.store import Broken, Recorded
from events.target import TARGET
from events.unreadable import address_of
from schemas.base import Frozen
from services.cli.desk import LogDesk, at_log, not_found
from services.cli.engine_wanted import asking_from, require_engine
from services.cli.session import Exit, Stop, print_json, say
from services.cli.swarm.roles import AGENTS
from services.cli.swarm.running import runnable
from services.cli.tables import show_table
from services.runtime.claims import Later
from services.runtime.consumer import Agent
from services.runtime.ground import actor, now
from services.runtime.log import Log
from services.runtime.replaying import react_again
from services.runtime.role import workbench
from services.runtime.settings import Settings
from services.steering.letters import Closing, DeadLetter, close, letters


class Replayed(Frozen):
    """What came of giving one event to its role again; `failure` is empty where it succeeded."""

    number: int
    role: str
    seq: int
    failure: str


async def list_letters(settings: Settings, *, every: bool, as_json: bool) -> None:
    """List the open letters, or every one."""
    async with at_log(settings) as desk:
        found = [one for one in await letters(desk.connection) if every or one.closed is None]
    if as_json:
        print_json(found)
        return
    show_table(
        ("NUMBER!", "ROLE!", "EVENT!", "SUBJECT", "WHY", "CLOSED"),
        [(one.number, one.role, one.seq, one.subject, one.reason, _closed(one)) for one in found],
        empty="no dead letters",
    )


def _closed(letter: DeadLetter) -> str:
    return f"{letter.closed.how} by {letter.closed.by}: {letter.closed.reason}" if letter.closed else ""


async def discard(settings: Settings, numbers: list[int], reason: str, *, as_json: bool) -> None:
    """Close letters for a reason; without numbers all that are open."""
    if not reason.strip():
        raise Stop(Exit.USAGE, "give a reason: it is all that will tell why nothing was done")
    async with at_log(settings) as desk:
        chosen = await _chosen(desk, numbers, ("discarded", "replayed"))
        closings = [_closing(one, "discarded", reason) for one in chosen]
        for closing in closings:
            await close(desk.connection, closing)
    if as_json:
        print_json(closings)
    for one in chosen:
        say(f"letter {one.number} is discarded; event {one.seq} stays on the log")


async def replay(settings: Settings, numbers: list[int], seconds: int, *, as_json: bool) -> None:
    """Give the events of letters to their role again, oldest first; without numbers of all open ones."""
    async with at_log(settings) as desk:
        chosen = await _chosen(desk, numbers, ("replayed",))
        if await require_engine(settings, desk, await _asking(desk.book, chosen)):
            say("a copy that runs takes it at once where it is replayed on the page of dead letters")
        results = [await _replay(settings, desk, one, seconds) for one in chosen]
    if as_json:
        print_json(results)
    failed = [one for one in results if one.failure]
    if failed:
        told = "; ".join(f"letter {one.number}: {one.failure}" for one in failed)
        raise Stop(Exit.FAILED, f"{len(failed)} of {len(results)} still not done: {told}")
    if results:
        say("what follows from it is done by any running service: aps up, or aps improve on the same target")


async def _chosen(desk: LogDesk, numbers: list[int], done: tuple[str, ...]) -> list[DeadLetter]:
    """Return the letters of those numbers, without any all open ones.

    Ends the command with 3 for one there is none of, and with 5 for one that was closed in a way of `done`.
    """
    known = {one.number: one for one in await letters(desk.connection)}
    if not numbers:
        return [one for one in known.values() if one.closed is None]
    for number in numbers:
        if number not in known:
            raise not_found("dead letter", str(number), [str(n) for n in known])
        if (closed := known[number].closed) is not None and closed.how in done:
            raise Stop(
                Exit.CONFLICT, f"letter {number} was {closed.how} already, by {closed.by}: {closed.reason}"
            )
    return [known[number] for number in sorted(set(numbers))]


async def _asking(book: Log, chosen: Sequence[DeadLetter]) -> dict[str, set[str]]:
    """Return the roles that would ask about an improvement next, were they given these letters again."""
    found: dict[str, set[str]] = {}
    for letter in chosen:
        for id, state in (await book.states(IMPROVEMENT, await _concerned(book, letter))).items():
            if asking_from(state.status)[:1] == (letter.role,):
                found.setdefault(id, set()).add(letter.role)
    return found


async def _concerned(book: Log, letter: DeadLetter) -> tuple[str, ...]:
    """Return the improvements that the event of a letter asks to go on; of a target's, the latest."""
    address = address_of(letter.subject)
    if address.aggregate == IMPROVEMENT.name:
        return (address.id,)
    if address.aggregate != TARGET.name:
        return ()
    latest = (await book.state(TARGET, address.id)).latest
    return latest.done.improvements if latest and latest.done else ()


async def _replay(settings: Settings, desk: LogDesk, letter: DeadLetter, seconds: int) -> Replayed:
    role = AGENTS.get(letter.role)
    if letter.role == "projector":
        raise Stop(
            Exit.USAGE, f"letter {letter.number} is closed by views that take its event: aps views rebuild"
        )
    if role is None:
        raise Stop(Exit.USAGE, f"{letter.role} is no role an event can be given to")
    if not runnable(desk.ground, [letter.role]):
        name = f"APS_NATS_{letter.role.upper()}_PASSWORD"
        raise Stop(Exit.DENIED, f"only {letter.role} may do its work: run this where {name} is set")
    say(f"letter {letter.number}: giving event {letter.seq} to {letter.role}")
    try:
        event = await _event(desk, letter.seq)
        async with desk.ground.log(letter.role) as (_, book):
            agent = role.build(await workbench(letter.role, settings, book))
            failure = await reaction(agent, event, seconds)
    except Broken as unreadable:
        failure = str(unreadable)
    if not failure:
        await close(desk.connection, _closing(letter, "replayed", "the role was done with it"))
    return Replayed(number=letter.number, role=letter.role, seq=letter.seq, failure=failure)


async def _event(desk: LogDesk, seq: int) -> Recorded:
    async for event in desk.book.store.read_all(seq - 1, seq):
        return event
    raise Stop(Exit.NOT_FOUND, f"the log has no event {seq}")


async def reaction(agent: Agent, event: Recorded, seconds: int) -> str:
    """Let `agent` react to `event`, waiting while it asks for that; return why it could not, or nothing.

    Ends the command with 7 when it asks for more than `seconds` (0: no limit).
    """
    try:
        return await react_again(agent, event, seconds)
    except Later as later:
        raise Stop(Exit.TIMED_OUT, f"{agent.role} cannot do it now: {later}") from later


def _closing(letter: DeadLetter, how: str, reason: str) -> Closing:
    return Closing.model_validate(
        {"letter": letter.number, "how": how, "reason": reason, "by": actor("cli"), "at": now()}
    )
