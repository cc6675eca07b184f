"""Asks for a cycle: finds out what the target is, registers it, and requests a scan of its HEAD.

Rules
1. An unfinished scan of the same commit is followed, not doubled: this is how an interrupted cycle goes on.
   A look and a cycle never stand for each other.
2. The target is read at HEAD; what is not committed takes no part, and a note says so.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from events.envelope import Cause
from events.fact import Rejected
from events.subjects import slug
from events.target import TARGET, Registered, Scan, ScanRequested, Target, request_id
from schemas.context import Context
from services.asking.context import Handed, kept
from services.changes.release import REF
from services.cycle.naming import named_sdist
from services.cycle.settling import is_settled
from services.engines.deterministic.rules import DEFAULT_SELECT
from services.runtime.claims import why_paused
from services.runtime.log import Change, Log
from services.runtime.tracing import current
from services.sandbox.port import Sandbox
from services.workspace.checkout import Workspace
from services.workspace.fork import fork_of, id_of, meant, recorded_of
from services.workspace.landing import foreign_remarks, refuse_unmovable
from services.workspace.sources.sdist import fetch_sdist, unpack_as_repository
from services.workspace.target import TargetInspection, TargetProblem, inspect_target

ENGINE = "deterministic"
TRIES = 5


@dataclass(frozen=True)
class Wish:
    """What a person asks for: all that rules find, or with a `request` that alone.

    `context` is what others wrote and the person hands over with the request.
    """

    target: str
    limit: int = 0
    dry_run: bool = False
    look_only: bool = False
    rules: tuple[str, ...] = DEFAULT_SELECT
    request: str = ""
    engine: str = ENGINE
    context: tuple[Handed, ...] = ()


@dataclass(frozen=True)
class Place:
    """A target found: its id, the repository's root, the path the log records, and where it came from."""

    id: str
    root: Path
    recorded: str
    title: str
    origin: str
    inspection: TargetInspection


@dataclass(frozen=True)
class Asked:
    """A cycle that was asked for; `followed` when it was under way already."""

    place: Place
    scan: str
    followed: bool


async def locate(target: str, workspace: Workspace, sandbox: Sandbox) -> Place:
    """Find the target a person named: a path, or `sdist:NAME==VERSION`, which is fetched.

    In a fork: the id of a target it holds, or the path of that or of its copy.

    Raises `TargetProblem`, or what fetching raises (`UnknownSdist`, `IndexUnreachable`, `WrongHash`).
    """
    if target.startswith("sdist:"):
        return await _fetched(target, workspace, sandbox)
    in_fork = fork_of(workspace.root) is not None
    inspection = await inspect_target(meant(workspace.root, target) if in_fork else Path(target))
    root = inspection.root
    recorded = recorded_of(workspace.root, root) if in_fork else str(root)
    digest = hashlib.sha256(recorded.encode()).hexdigest()[:8]
    known = id_of(workspace.root, recorded)
    return Place(known or f"{slug(root.name)}-{digest}", root, recorded, root.name, recorded, inspection)


async def place_of(id: str, registered: Registered, workspace: Workspace) -> Place:
    """Look again at a target that the log holds, where it says that it is. Raises `TargetProblem`."""
    root = workspace.path(registered.path)
    inspection = await inspect_target(root)
    return Place(id, inspection.root, registered.path, registered.title, registered.origin, inspection)


async def _fetched(target: str, workspace: Workspace, sandbox: Sandbox) -> Place:
    named = named_sdist(target)
    name, version = named["name"], named["version"]
    sdist = await fetch_sdist(name, version, named["sha"], workspace.downloads, sandbox)
    title = f"{name}-{version}"
    folder = workspace.source(title)
    await unpack_as_repository(sdist, folder)
    inspection = await inspect_target(folder)
    digest = hashlib.sha256(f"{title} {sdist.sha256}".encode()).hexdigest()[:8]
    recorded = str(folder.relative_to(workspace.root))
    return Place(f"{slug(title)}-{digest}", folder, recorded, title, f"sdist:{name}=={version}", inspection)


async def ask(book: Log, place: Place, wish: Wish, actor: str) -> Asked:
    """Request a scan of the target's HEAD, or join the unfinished one; it begins a chain of its own.

    Raises as `ask_because` does.
    """
    cause = Cause(actor=actor, source="aps/cli", correlation=str(uuid4()), traceparent=current())
    return await ask_because(book, place, wish, cause)


async def ask_because(book: Log, place: Place, wish: Wish, cause: Cause) -> Asked:
    """Request a scan of the target's HEAD for a cause, or join the unfinished one.

    Raises `Rejected` when paused, `TargetProblem` when nothing that is asked for could ever land.
    """
    if paused := await why_paused(book):
        raise Rejected(paused)
    place = await _looked_at(place, wish)
    context = tuple[Context, ...]()
    for attempt in range(TRIES):
        state = await book.state(TARGET, place.id)
        running = await _running(book, state, place.inspection.head, wish)
        if running is not None:
            return Asked(place, running.id, followed=True)
        context = context or await _context(book, place, wish)
        asked = _request(state, place, wish, context)
        first = Registered(path=place.recorded, title=place.title, origin=place.origin)
        facts = (asked,) if state.registered else (first, asked)
        try:
            await book.record_all([Change(TARGET, place.id, facts)], cause)
        except Rejected:
            if attempt == TRIES - 1 or state.paused:
                raise
            continue
        return Asked(place, asked.scan, followed=False)
    raise AssertionError("unreachable")


async def _looked_at(place: Place, wish: Wish) -> Place:
    """Add what a person should know of the branch changes land on; where nothing lands, trouble is a note."""
    try:
        notes = await foreign_remarks(place.root, REF, place.inspection.head)
        await refuse_unmovable(place.root, REF)
    except TargetProblem as problem:
        if not (wish.dry_run or wish.look_only):
            raise
        notes = (f"nothing could land as it stands: {problem}",)
    inspection = replace(place.inspection, notes=(*place.inspection.notes, *notes))
    return replace(place, inspection=inspection)


async def _running(book: Log, state: Target, head: str, wish: Wish) -> Scan | None:
    alike = (one for one in reversed(state.scans.values()) if one.requested.look_only == wish.look_only)
    scan = next(alike, None)
    if scan is None:
        return None
    asked, context = scan.requested, [one.digest for one in scan.requested.context]
    if (asked.base, asked.request, context) != (head, wish.request, [one.digest for one in wish.context]):
        return None
    return None if await is_settled(book, state, scan) else scan


async def _context(book: Log, place: Place, wish: Wish) -> tuple[Context, ...]:
    digests = [one.digest for one in wish.context]
    id = request_id(place.id, place.inspection.head, wish.request, digests)
    return await kept(book, wish.context, id)


def _request(state: Target, place: Place, wish: Wish, context: tuple[Context, ...]) -> ScanRequested:
    number = len(state.scans) + 1
    return ScanRequested(
        scan=f"{place.id}-s{number}",
        base=place.inspection.head,
        branch=place.inspection.branch or "",
        rules=wish.rules,
        engine=wish.engine,
        limit=wish.limit,
        dry_run=wish.dry_run,
        look_only=wish.look_only,
        notes=place.inspection.notes,
        request=wish.request,
        context=context,
    )
