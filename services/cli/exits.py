"""Which trouble a command expects, and the exit code each ends it with."""

import asyncpg

from events.envelope import Unreadable
from events.fact import Rejected
from events.store import Broken, Conflict, Denied, Unavailable
from events.upcasting import UnknownFact
from projections.database import OtherVersions, Overtaken
from projections.heads import NotSigned
from services.cli.ending import Exit, Stop
from services.forking.forks import NameTaken
from services.gateway.listening import NoSuchAddress, PortInUse
from services.prompting.template import UnusablePrompt
from services.runtime.data_folder import UnusableFolder
from services.runtime.embedded.problem import ServerProblem
from services.runtime.ground import NotReady
from services.runtime.head_keys import UnusableKey
from services.runtime.log import NoSecret
from services.runtime.room import NoRoom, is_full
from services.runtime.settings import WrongSettings
from services.runtime.supervisor import GaveUp
from services.sandbox.port import NoSandbox
from services.vault.keyring import KeyDeleted, KeyMissing, WrongSecret
from services.vault.sealing import Unopened
from services.workspace.fork import UnreadableMarker
from services.workspace.git.repository import BranchCheckedOut
from services.workspace.git.version import UnusableGit
from services.workspace.sources.sdist import IndexUnreachable, UnknownSdist, WrongHash
from services.workspace.target import TargetProblem

CODES: tuple[tuple[type[Exception], Exit], ...] = (
    (WrongSettings, Exit.USAGE),
    (WrongSecret, Exit.USAGE),
    (NoSecret, Exit.USAGE),
    (KeyDeleted, Exit.NOT_FOUND),
    (KeyMissing, Exit.FAILED),
    (Unopened, Exit.FAILED),
    (UnknownSdist, Exit.NOT_FOUND),
    (WrongHash, Exit.FAILED),
    (IndexUnreachable, Exit.UNAVAILABLE),
    (BranchCheckedOut, Exit.CONFLICT),
    (TargetProblem, Exit.USAGE),
    (NameTaken, Exit.CONFLICT),
    (Rejected, Exit.CONFLICT),
    (Conflict, Exit.CONFLICT),
    (Denied, Exit.DENIED),
    (NotReady, Exit.UNAVAILABLE),
    (NoRoom, Exit.UNAVAILABLE),
    (ServerProblem, Exit.UNAVAILABLE),
    (UnusableFolder, Exit.UNAVAILABLE),
    (UnreadableMarker, Exit.UNAVAILABLE),
    (UnusableKey, Exit.FAILED),
    (NotSigned, Exit.FAILED),
    (UnusablePrompt, Exit.FAILED),
    (Unavailable, Exit.UNAVAILABLE),
    (NoSandbox, Exit.UNAVAILABLE),
    (UnusableGit, Exit.UNAVAILABLE),
    (PortInUse, Exit.UNAVAILABLE),
    (NoSuchAddress, Exit.USAGE),
    (Overtaken, Exit.CONFLICT),
    (OtherVersions, Exit.UNAVAILABLE),
    (Broken, Exit.FAILED),
    (Unreadable, Exit.FAILED),
    (UnknownFact, Exit.FAILED),
    (GaveUp, Exit.FAILED),
    (TimeoutError, Exit.TIMED_OUT),
)
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
)


def expected(problem: Exception) -> Stop | None:
    """Return how an expected trouble ends a command; None for what nobody expected."""
    cause = _root(problem)
    if isinstance(cause, Stop):
        return cause
    for kind, code in CODES:
        if isinstance(cause, kind):
            return Stop(code, _with_cure(cause) or "it took too long")
    if is_full(cause):
        return Stop(Exit.UNAVAILABLE, f"a disk is full: {cause}\nfree space there, then run the same again")
    if isinstance(cause, AWAY):
        return Stop(Exit.UNAVAILABLE, f"out of reach: {cause}")
    return None


def _with_cure(cause: BaseException) -> str:
    """Return what happened; of a log that contradicts itself also what tells the rest, where nothing does."""
    told = str(cause)
    if isinstance(cause, Broken) and "aps " not in told:
        return (
            f"{told}. The log is damaged there; what else is, and what was lost: aps events verify;"
            " the way on: aps doctor"
        )
    return told


def _root(problem: BaseException) -> BaseException:
    """Return what really happened: the first of a group, and why a service gave up."""
    while True:
        if isinstance(problem, BaseExceptionGroup):
            problem = problem.exceptions[0]
        elif isinstance(problem, GaveUp) and _is_known(problem.__cause__):
            assert problem.__cause__ is not None  # noqa: S101 -- a known one is one
            problem = problem.__cause__
        else:
            return problem


def _is_known(problem: BaseException | None) -> bool:
    return isinstance(problem, (Stop, *(kind for kind, _ in CODES)))
