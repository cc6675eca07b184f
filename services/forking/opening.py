"""Opens the log up to a sequence as a world of its own.

Rules
1. The fork has servers of its own: nothing it appends can reach the log it came from.
2. It is marked as a fork before anything is copied, and as finished after everything was.
3. Whatever goes wrong, nothing of a fork that did not get finished stays.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nats.aio.client import Client

from events.jetstream.stream_reader import Stored
from events.jetstream.walk import recorded
from events.store import Broken
from services.forking import forks
from services.forking.copying import copy_target, share
from services.forking.log_copy import Advance, copy_artefacts, copy_log
from services.forking.moment import Moment
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, now, set_up
from services.runtime.log import Log
from services.runtime.settings import Settings
from services.workspace.checkout import Workspace
from services.workspace.fork import Fork

Watch = Callable[[str, int], AbstractContextManager[Advance]]


@dataclass(frozen=True)
class Opened:
    """A fork that is ready: its data folder, its targets' copies by id, and what a person should know."""

    fork: Fork
    home: Path
    targets: dict[str, Path]
    artefacts: int
    notes: tuple[str, ...]


async def open_fork(
    settings: Settings, connection: Client, book: Log, name: str, seq: int, watch: Watch
) -> Opened:
    """Open the log up to event `seq`; `watch` shows how far each long part is.

    Raises `forks.NameTaken`, `forks.WrongName`, and what reading the log raises.
    """
    (event,) = [event async for event in book.store.read_all(seq - 1, seq)]
    begun = Fork(
        name or forks.free_name(settings.home, seq),
        seq,
        event.envelope.hash,
        event.envelope.time,
        str(settings.home),
        now().isoformat(timespec="seconds"),
    )
    folder = forks.begin(settings.home, begun)
    try:
        opened = await _filled(settings, connection, book, begun, folder, watch)
        fork = replace(opened.fork, finished=True)
        forks.mark(folder, fork)
    except BaseException:
        await forks.remove(settings.home, begun.name)
        raise
    return replace(opened, fork=fork)


async def _filled(
    settings: Settings, connection: Client, book: Log, fork: Fork, folder: Path, watch: Watch
) -> Opened:
    async with _servers(folder) as sink:
        moment = Moment()
        with watch("copying the log", fork.seq) as advance:
            await copy_log(connection, sink, fork.seq, lambda stored: _note(moment, stored), advance)
        with watch("copying artefacts", len(moment.artefacts)) as advance:
            missing = await copy_artefacts(connection, sink, moment.artefacts, advance)
    await _look_later(book, moment, fork.seq)
    origin, workspace = Workspace(settings.home), Workspace(folder)
    notes = list(missing)
    with watch("copying targets", len(moment.targets)) as advance:
        for number, (id, then) in enumerate(sorted(moment.targets.items()), start=1):
            told = await copy_target(origin, workspace, id, then, moment.commits)
            notes += [told] if told else []
            advance(number)
    notes += await asyncio.to_thread(share, settings.home, folder)
    copies = {id: workspace.path(then.path) for id, then in sorted(moment.targets.items())}
    targets = {id: place for id, place in copies.items() if place.is_dir()}
    held = {id: moment.targets[id].path for id in targets}
    return Opened(
        replace(fork, targets=held), folder, targets, len(moment.artefacts) - len(missing), tuple(notes)
    )


def _note(moment: Moment, stored: Stored) -> None:
    moment.name(stored.body)
    try:
        event = recorded(stored)
    except Broken:
        return  # it is copied as it stands, and `aps events verify` tells it in the fork as well
    moment.add(event)


async def _look_later(book: Log, moment: Moment, seq: int) -> None:
    """Let the first deployments after the moment tell where branches stood before them."""
    if not moment.has_open:
        return
    async for event in book.store.read_all(seq):
        if not moment.later(event):
            return


@asynccontextmanager
async def _servers(folder: Path) -> AsyncIterator[Client]:
    """Give a connection, as admin, to the empty streams of a new fork."""
    async with EmbeddedServers(folder) as servers:
        ground = Ground(forks.settings_of(folder), servers.nats_url, servers.database_url, servers)
        await set_up(ground)
        sink = await ground.connect("admin")
        try:
            yield sink
        finally:
            await sink.close()
