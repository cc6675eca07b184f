"""The dossier of an improvement as a command tells it: with what a person can type next."""

from collections.abc import Iterator

from events.improvement import IMPROVEMENT, LANDED, Improvement
from events.target import TARGET
from schemas.improvement import Status
from services.cli.desk import Desk
from services.cli.invocation import invocation
from services.cycle.commands import Command, shell_word
from services.dossier.improvement import Dossier, commit_of, dossier_of, state_at
from services.dossier.shelf import Shelf
from services.workspace.checkout import Workspace

DIFF = "diff"


async def gathered(desk: Desk, id: str, seq: int | None, *, diff: bool) -> Dossier:
    """Gather a discovered improvement as of a sequence of the log; None is now."""
    state = await state_at(desk.book, IMPROVEMENT, id, seq)
    commands = await commands_of(desk, id, state, now=seq is None)
    return await dossier_of(Shelf(desk.book), desk.views, id, state, seq, commands, diff=diff)


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
