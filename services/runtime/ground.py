"""What a process stands on: NATS and PostgreSQL, brought along or given, and connections to them."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import nats.errors
import structlog
from nats.aio.client import Client

from events.jetstream.artefacts import JetStreamArtefacts
from events.jetstream.log import JetStreamEventStore
from events.jetstream.streams import compare, declare
from events.store import Unavailable
from projections.projector import LogBehindCheckpoint
from services.runtime.away import Away
from services.runtime.data_folder import SHARED_ROOT, DataFolder, is_root, make_folder
from services.runtime.embedded.problem import ServerProblem
from services.runtime.embedded.programs import configuration_folder
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ending import end
from services.runtime.head_keys import trusted_keys
from services.runtime.log import Log
from services.runtime.lost_log import AWAY, Witnesses
from services.runtime.nats_connection import close_nats, open_nats
from services.runtime.room import refuse_without_room, shortage, watch_room
from services.runtime.scratch import scratch
from services.runtime.secret import current_root, former_root, refuse_wrong_secret, settle_secret
from services.runtime.settings import Settings
from services.runtime.tls import database_away, of_database, of_nats, refusal
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keyring import Keyring
from services.vault.together import Together
from services.workspace.fork import fork_of

DATABASE_SECONDS = 10.0
LOOK_SECONDS = 2.0  # appends wait meanwhile

log = structlog.get_logger()


def _untold(_: str) -> None:
    """Leave it to the log."""


class NotReady(Exception):  # noqa: N818 -- what is wrong with the ground
    """NATS or PostgreSQL cannot be used as they are; the message says what to do."""


@dataclass(frozen=True)
class Ground:
    """Addresses and rights. `servers` is None where NATS and PostgreSQL are given by settings."""

    settings: Settings
    nats_url: str
    database_url: str
    servers: EmbeddedServers | None = None
    notes: tuple[str, ...] = ()
    away: Away = field(default_factory=Away)

    def shortage(self) -> str | None:
        """Say which disk is full: that of the data folder, or of the data of servers of ours."""
        places = () if self.servers is None else (self.servers.place,)
        return shortage((self.settings.home, *places))

    def password(self, user: str) -> str | None:
        """Return the NATS password of a user; None when the URL carries the credentials."""
        if self.servers is not None:
            return self.servers.nats_password(user)
        secret = self.settings.nats_passwords.get(user)
        return secret.get_secret_value() if secret else None

    async def connect(self, user: str, name: str = "") -> Client:
        """Connect to NATS as `user` and stay connected, however often the server goes away."""
        password = self.password(user)
        credentials = {"user": user, "password": password} if password else {}
        tls = of_nats(self.settings)
        try:
            return await open_nats(
                self.nats_url,
                tls,
                _tell_error(user),
                name=name or f"aps-{user}",
                inbox_prefix=f"_INBOX_{user}".encode(),
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.5,
                ping_interval=10,
                max_outstanding_pings=2,
                connect_timeout=5,
                allow_reconnect=True,
                disconnected_cb=_tell("disconnected from NATS", user),
                reconnected_cb=_tell("connected to NATS again", user),
                **credentials,
            )
        except (OSError, nats.errors.Error, TimeoutError) as problem:
            where = ", ".join(_bare(url.strip()) for url in self.nats_url.split(","))
            why = refusal("NATS", problem)
            raise NotReady(f"NATS at {where} is out of reach as {user}: {why}") from problem

    def keyring(self, connection: Client) -> Keyring | None:
        """Return the keys of what is sealed, over a connection; None without a secret."""
        root = current_root(self.settings)
        if root is None:
            return None
        return Keyring(Together(JetStreamKeyStore(connection)), root, former_root(self.settings), now)

    def pool(self, least: int, most: int, seconds: float = 60.0) -> "asyncpg.Pool[asyncpg.Record]":
        """Return a pool of connections to PostgreSQL, to be entered; each is opened within `seconds`."""
        tls = of_database(self.settings)
        context = tls.context() if tls else None
        return asyncpg.create_pool(
            self.database_url, min_size=least, max_size=most, timeout=seconds, ssl=context
        )

    async def database(self, seconds: float) -> "asyncpg.Connection[asyncpg.Record]":
        """Open one connection to PostgreSQL; the caller closes it."""
        tls = of_database(self.settings)
        return await asyncpg.connect(self.database_url, timeout=seconds, ssl=tls.context() if tls else None)

    def witnesses(self, connection: Client, seconds: float = DATABASE_SECONDS) -> Witnesses:
        """Return who knows how far the log reached; PostgreSQL is given `seconds` to open."""
        return Witnesses(connection, lambda: self.database(seconds), lambda: trusted_keys(self.settings))

    async def require_length(self, connection: Client, own: int = 0) -> bool:
        """Raise `LogBehindCheckpoint` where the log lost its end; see `Witnesses`. Raises `Unavailable`."""
        try:
            return await self.witnesses(connection, LOOK_SECONDS).require_length(own)
        except AWAY as problem:
            raise Unavailable(_not_asked(self.database_url, problem)) from problem

    @asynccontextmanager
    async def log(self, user: str) -> AsyncIterator[tuple[Client, Log]]:
        """Give a connection and the log as `user` for the time of the block."""
        connection = await self.connect(user)
        try:
            store = JetStreamEventStore(
                connection,
                now,
                replicated=self.settings.nats_replicas > 1,
                require=partial(self.require_length, connection),
            )
            keyring = self.keyring(connection)
            yield connection, Log(store, JetStreamArtefacts(connection), now, self.settings.fork, keyring)
        finally:
            await close_nats(connection)


def _bare(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def now() -> datetime:
    """Return the present moment, with its time zone."""
    return datetime.now(UTC)


def actor(role: str) -> str:
    """Return the name of this copy of a role, as it signs its facts."""
    return f"{role}@{_host()}-{os.getpid()}"


@cache
def _host() -> str:
    return socket.gethostname()


@asynccontextmanager
async def stand(
    settings: Settings, tell: Callable[[str], None] = _untold, *, lost_log_too: bool = False
) -> AsyncIterator[Ground]:
    """Give ready ground for the time of the block: servers up, streams as declared.

    Embedded servers are started or adopted, and stopped by their last user. `tell` is called, and the log
    written, with one sentence whenever a disk is full, a server died, or the log of servers of one's own is
    away, and when that is over. Raises
    `NotReady` when given streams differ from their declaration, `NoRoom` or ServerProblem when embedded
    servers do not start, and `LogBehindCheckpoint` where the log is lost: with `lost_log_too` the ground is
    given all the same, and nothing declared there.
    """
    _refuse_unfinished(settings.home)
    home = DataFolder(settings.home)
    make_folder(home.home, 0o711 if is_root() else 0o700)
    with scratch(home.scratch):
        async with _standing(settings, tell, lost_log_too) as ground:
            yield ground


def _refuse_unfinished(home: Path) -> None:
    fork = fork_of(home)
    if fork is not None and not fork.finished:
        raise NotReady(
            f"the fork {fork.name} was never finished: aps fork remove {fork.name}, and open it again"
        )


@asynccontextmanager
async def _standing(
    settings: Settings, tell: Callable[[str], None], lost_log_too: bool
) -> AsyncIterator[Ground]:
    if settings.nats_url is not None and settings.database_url is not None:
        given = Ground(
            settings,
            settings.nats_url.get_secret_value(),
            settings.database_url.get_secret_value(),
            away=Away(partial(_told, tell)),
        )
        with _said(lost_log_too):
            await _refuse_drift(given)
        async with _watched(given, tell):
            yield given
        return
    async with _embedded(settings.home) as servers:
        nats_url = settings.nats_url.get_secret_value() if settings.nats_url else servers.nats_url
        database = settings.database_url.get_secret_value() if settings.database_url else servers.database_url
        ground = Ground(settings, nats_url, database, servers, tuple(servers.notes))
        with _said(lost_log_too):
            await set_up(ground)
        async with _watched(ground, tell):
            yield ground


@contextmanager
def _said(lost_log_too: bool) -> Iterator[None]:
    """Leave a lost log to the log of the process, where it is wanted all the same."""
    try:
        yield
    except LogBehindCheckpoint as problem:
        if not lost_log_too:
            raise
        log.warning("the log is lost", problem=str(problem))


@asynccontextmanager
async def _embedded(home: Path) -> AsyncIterator[EmbeddedServers]:
    """Give the embedded servers; where they do not start for want of room, that is what is said."""
    servers = EmbeddedServers(home)
    try:
        await servers.join()
    except ServerProblem:
        refuse_without_room((home, SHARED_ROOT))
        raise
    try:
        yield servers
    finally:
        await servers.leave()


def _told(tell: Callable[[str], None], text: str) -> None:
    log.warning("ground", said=text)
    tell(text)


@asynccontextmanager
async def _watched(ground: Ground, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """Look after disks and embedded servers for the time of the block."""

    told = partial(_told, tell)
    watching = [asyncio.create_task(watch_room(ground.shortage, told))]
    if ground.servers is not None:
        watching.append(asyncio.create_task(ground.servers.watch(told)))
    try:
        yield
    finally:
        for task in watching:
            await end(task)


async def set_up(ground: Ground, *, anew: bool = False) -> None:
    """Declare streams and consumers as admin; raises `NotReady` where what stands there differs.

    Raises `LogBehindCheckpoint` rather than begin a second log in place of one that is lost, unless `anew`.
    """
    connection = await ground.connect("admin")
    try:
        if not anew:
            await refuse_lost_log(ground, connection)
        drift = await declare(connection, configuration_folder(), ground.settings.nats_replicas)
        if drift:
            raise NotReady("the streams differ from their declaration: " + "; ".join(map(str, drift)))
        await settle_secret(JetStreamKeyStore(connection), ground.settings)
    finally:
        await close_nats(connection)


async def refuse_lost_log(ground: Ground, connection: Client) -> None:
    """Raise `LogBehindCheckpoint` where the log is gone or empty, and its heads or journal stand higher."""
    try:
        await ground.witnesses(connection).require_log()
    except AWAY as problem:
        raise NotReady(_not_asked(ground.database_url, problem)) from problem


def _not_asked(database_url: str, problem: Exception) -> str:
    away = database_away(database_url, problem)
    return f"{away}. It is asked whether the log, which has no event, ever had one"


async def _refuse_drift(ground: Ground) -> None:
    connection = await ground.connect("inspector")
    try:
        await _refuse_lost_log_if_told(ground, connection)
        drift = await compare(connection, configuration_folder(), ground.settings.nats_replicas)
        if drift:
            told = "; ".join(map(str, drift))
            raise NotReady(f"the streams differ from their declaration ({told}); run `aps setup`")
        await refuse_wrong_secret(JetStreamKeyStore(connection), ground.settings)
    finally:
        await close_nats(connection)


async def _refuse_lost_log_if_told(ground: Ground, connection: Client) -> None:
    """As `refuse_lost_log`; who runs alone beside servers of one's own need not wait for PostgreSQL."""
    try:
        await refuse_lost_log(ground, connection)
    except NotReady as problem:
        log.warning("asked again before the first event", problem=str(problem))


def _tell_error(user: str):  # type: ignore[no-untyped-def]  # nats-py's callback types are its own
    async def told(problem: Exception) -> None:
        log.warning("NATS says", user=user, problem=str(problem))

    return told


def _tell(text: str, user: str):  # type: ignore[no-untyped-def]  # nats-py's callback types are its own
    async def told() -> None:
        log.info(text, user=user)  # also said at every ordinary end; what it breaks says so itself

    return told
