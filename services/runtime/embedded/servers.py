"""The servers a data folder brings along, shared by every command that works on it.

1. Each user of the servers holds the users' lock, shared, until it leaves or dies.
2. Starting, adopting and stopping happen under the start lock, so they never overlap.
3. Who leaves and finds the users' lock free stops the servers: the last one out.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from services.runtime.data_folder import SHARED_ROOT, DataFolder, UnusableFolder, shared_place
from services.runtime.embedded import addresses as kept
from services.runtime.embedded.addresses import LOOPBACK, Addresses
from services.runtime.embedded.credentials import password
from services.runtime.embedded.lock import exclusive, open_lock, try_lock
from services.runtime.embedded.nats import NatsServer
from services.runtime.embedded.postgres import DATABASE, USER, PostgresServer
from services.runtime.embedded.problem import ServerProblem
from services.runtime.embedded.process import (
    Server,
    has_long_log,
    is_alive,
    shorten_log,
    start_or_adopt,
    stop,
)
from services.runtime.embedded.programs import configuration_folder
from services.runtime.room import shortage

NATS_USERS = (
    "admin",
    "cli",
    "pm",
    "architect",
    "developer",
    "qa",
    "devops",
    "deployer",
    "projector",
    "gateway",
    "inspector",
)
_TURN_SECONDS = 90.0  # longer than one start may take
# Between looks at a server; the longer ones between attempts to start one that does not start.
_PAUSES = (0.5, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_LOG_SECONDS = 5.0  # between looks at how long the logs are


class EmbeddedServers:
    """NATS and PostgreSQL of one data folder, in use between `join` and `leave`.

    Use it as `async with`, or call the two yourself; they may run in different event loops. The
    addresses and passwords are known after `join`. `notes` says what a person should know, such as
    a port that had to change.
    """

    def __init__(
        self,
        home: Path,
        users: Sequence[str] = NATS_USERS,
        configuration: Path | None = None,
        shared_root: Path = SHARED_ROOT,
    ) -> None:
        """Name the servers of `home`.

        `configuration` holds `server.conf` and `users.conf` (default: the shipped ones),
        `shared_root` the data that the servers' uid could not reach in `home`.
        """
        self.notes: list[str] = []
        self._folder = DataFolder(home)
        self._users = tuple(users)
        self._configuration = configuration or configuration_folder()
        self._shared_root = shared_root
        self._usage: int | None = None
        self._servers: tuple[Server, ...] = ()

    async def __aenter__(self) -> Self:
        """Join."""
        await self.join()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave."""
        await self.leave()

    async def join(self) -> None:
        """Return with both servers proved ready, started or adopted. Raises ServerProblem."""
        try:
            self._place = shared_place(self._folder.home, self._shared_root)
            async with exclusive(self._start_lock, _TURN_SECONDS):
                self._usage = open_lock(self._users_lock)
                try:
                    await self._join_in_turn(self._usage)
                except BaseException:
                    await self._leave_in_turn(self._usage)
                    raise
        except (OSError, UnusableFolder) as error:
            raise ServerProblem(f"the servers of {self._folder.home} cannot start: {error}") from error

    async def leave(self) -> None:
        """Stop the servers when nobody else uses them. Harmless when not joined."""
        if self._usage is None:
            return
        async with exclusive(self._start_lock, _TURN_SECONDS):
            await self._leave_in_turn(self._usage)

    async def erase(self) -> None:
        """Stop the servers and remove their data and passwords for good, the log included.

        Raises ServerProblem when another command uses them.
        """
        self._place = shared_place(self._folder.home, self._shared_root)
        async with exclusive(self._start_lock, _TURN_SECONDS):
            usage = open_lock(self._users_lock)
            try:
                if not try_lock(usage):
                    raise ServerProblem(f"the servers of {self._folder.home} are in use by another command")
                self._load()
                await _all(*(stop(server) for server in self._servers))
                await asyncio.to_thread(self._remove)
            finally:
                os.close(usage)

    async def watch(self, tell: Callable[[str], None]) -> None:
        """Start again, on the same ports and data, each server that dies or cannot write any more.

        `tell` is called with one sentence for each death and restart, and for each new reason why one does
        not start. Logs that grew long are shortened meanwhile. Goes on until cancelled.
        """
        await asyncio.gather(
            *(self._watch(server.title, tell) for server in self._servers), self._keep_logs_short(tell)
        )

    @property
    def place(self) -> Path:
        """The folder of the servers' data."""
        return self._place

    @property
    def nats_url(self) -> str:
        """The NATS server, without credentials."""
        return f"nats://{LOOPBACK}:{self._addresses.nats}"

    @property
    def monitoring_url(self) -> str:
        """The NATS server's monitoring pages."""
        return f"http://{LOOPBACK}:{self._addresses.monitoring}"

    @property
    def database_url(self) -> str:
        """The database, with credentials."""
        return (
            f"postgresql://{USER}:{self._database_password}@{LOOPBACK}:{self._addresses.postgres}/{DATABASE}"
        )

    def nats_password(self, user: str) -> str:
        """Return the password of a NATS user; KeyError when there is no such user."""
        return self._nats_passwords[user]

    @property
    def _start_lock(self) -> Path:
        return self._place / "start.lock"

    @property
    def _users_lock(self) -> Path:
        return self._place / "users.lock"

    @property
    def _addresses_file(self) -> Path:
        return self._place / "addresses.json"

    async def _join_in_turn(self, usage: int) -> None:
        alone = try_lock(usage)
        if not try_lock(usage, shared=True):
            raise ServerProblem(f"{self._users_lock} is held by another program")
        self._load()
        self._leave_taken_ports()
        if is_alive(self._nats) and self._nats.is_outdated():
            if alone:
                await stop(self._nats)
            else:
                self.notes.append("NATS keeps its former configuration until every other command has ended")
        await self._stop_stuck(self._nats)
        await _all(*(start_or_adopt(server) for server in self._servers))

    def _load(self) -> None:
        """Read, or make, what names the servers and opens them."""
        credentials = self._folder.credentials
        self._nats_passwords = {user: password(credentials, f"nats-{user}") for user in self._users}
        self._database_password = password(credentials, "postgres")
        self._set_addresses(kept.load_addresses(self._addresses_file))

    def _remove(self) -> None:
        for folder in {self._place, self._folder.servers, self._folder.credentials}:
            shutil.rmtree(folder)

    async def _leave_in_turn(self, usage: int) -> None:
        try:
            if try_lock(usage):
                await _all(*(stop(server) for server in self._servers))
        finally:
            os.close(usage)
            self._usage = None

    def _set_addresses(self, addresses: Addresses) -> None:
        self._addresses = addresses
        logs = self._folder.logs
        self._nats = NatsServer(self._place, logs, addresses, self._nats_passwords, self._configuration)
        self._postgres = PostgresServer(self._place, logs, addresses, self._database_password)
        self._servers = (self._nats, self._postgres)

    def _leave_taken_ports(self) -> None:
        """Choose other ports for a server that is down and whose port a stranger took meanwhile."""
        down = [
            *(("nats", "monitoring") if not is_alive(self._nats) else ()),
            *(("postgres",) if not is_alive(self._postgres) else ()),
        ]
        moved = self._addresses
        for field in down:
            port = getattr(moved, field)
            if not kept.is_free(port):
                other = kept.free_port(moved.nats, moved.monitoring, moved.postgres)
                moved = moved.model_copy(update={field: other})
                self.notes.append(
                    f"port {port} ({field}) is taken by another program; using {other} from now on"
                )
        if moved != self._addresses:
            kept.keep_addresses(self._addresses_file, moved)
            self._set_addresses(moved)

    async def _watch(self, title: str, tell: Callable[[str], None]) -> None:
        """Look after one server: what is wrong with it is told once, however often it is tried."""
        said, attempts = "", 0
        while True:
            await asyncio.sleep(_PAUSES[min(attempts, len(_PAUSES) - 1)])
            try:
                why = await self._ailment(title)
                if why is None:
                    continue
                if not attempts:
                    tell(f"{title} {why}; starting it again")
                await self._start_again(title)
            except (ServerProblem, OSError) as problem:
                attempts += 1
                if str(problem) != said:
                    tell(said := str(problem))
            else:
                said, attempts = "", 0
                tell(f"{title} is back")

    async def _keep_logs_short(self, tell: Callable[[str], None]) -> None:
        """Shorten the log of a server that lives for months; why that fails is told once."""
        said = ""
        while True:
            await asyncio.sleep(_LOG_SECONDS)
            try:
                await self._shorten_logs()
            except (ServerProblem, OSError) as problem:
                if str(problem) != said:
                    tell(f"the logs of the servers cannot be shortened: {(said := str(problem))}")

    async def _shorten_logs(self) -> None:
        """Take turns with other users of the servers; wait while there is no room for what is kept."""
        for server in self._servers:
            if has_long_log(server) and shortage((self._folder.home,)) is None:
                async with exclusive(self._start_lock, _TURN_SECONDS):
                    await asyncio.to_thread(shorten_log, server)

    async def _ailment(self, title: str) -> str | None:
        """Say why a server must be started again; nothing while the disk is full: it would die again."""
        if shortage((self._place,)) is not None:
            return None
        server = self._named(title)
        return await server.stuck() if is_alive(server) else "died"

    async def _start_again(self, title: str) -> None:
        async with exclusive(self._start_lock, _TURN_SECONDS):
            if self._usage is None:
                return  # left meanwhile: this death was wanted
            self._set_addresses(kept.load_addresses(self._addresses_file))
            server = self._named(title)
            await self._stop_stuck(server)
            await start_or_adopt(server)

    async def _stop_stuck(self, server: Server) -> None:
        """Stop a server that lives but can work no more, unless its disk is still full."""
        if is_alive(server) and shortage((self._place,)) is None and await server.stuck() is not None:
            await stop(server)

    def _named(self, title: str) -> Server:
        return next(server for server in self._servers if server.title == title)


async def _all(*work: Coroutine[None, None, object]) -> None:
    """Await all of it to the end, then raise the first problem."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
