"""The embedded PostgreSQL: how it is made and launched, and how it proves to be this folder's own."""

import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncpg

from services.runtime.embedded.addresses import LOOPBACK, Addresses
from services.runtime.embedded.problem import ServerProblem
from services.runtime.embedded.process import Launch, Silent, give_to_service, run_as_service
from services.runtime.embedded.programs import postgres_programs

USER = "aps"
DATABASE = "aps"
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
_ANSWER_SECONDS = 5.0
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # it died between its last words and the end of the connection
)
_NOBODY = 2**31 - 1  # no system gives a process this id
_HALF_MADE = "postgres-new-"
# One call for the thousand files of a new cluster; on a busy disk that saves seconds.
_SYNC = ("--sync-method=syncfs",) if sys.platform == "linux" else ()
_SETTINGS = (
    f"listen_addresses={LOOPBACK}",
    "unix_socket_directories=",
    "shared_buffers=64MB",
    "max_connections=60",
    "fsync=on",
    "synchronous_commit=on",
    "log_timezone=UTC",
    "timezone=UTC",
)


@dataclass(frozen=True)
class PostgresServer:
    """One PostgreSQL with the user and database `aps`, on loopback, by password only."""

    place: Path
    logs: Path
    addresses: Addresses
    password: str
    title: Literal["PostgreSQL"] = "PostgreSQL"
    stop_signal: signal.Signals = signal.SIGINT  # "fast": ends sessions, writes a checkpoint

    @property
    def lock(self) -> Path:
        """The file locked while it lives."""
        return self.place / "postgres.lock"

    @property
    def log(self) -> Path:
        """The file its output is appended to."""
        return self.logs / "postgres.log"

    @property
    def folder(self) -> Path:
        """Its data folder."""
        return self.place / "postgres"

    def prepare(self) -> Launch:
        """Make the database cluster if it is missing; see `Server`."""
        programs = postgres_programs(self.place)
        if not self.folder.exists():
            self._make_cluster(programs)
        self._disown_stale_pid_file()
        settings = [argument for setting in _SETTINGS for argument in ("-c", setting)]
        return Launch(
            argv=(
                str(programs / "postgres"),
                *("-D", str(self.folder)),
                *("-p", str(self.addresses.postgres)),
                *settings,
            ),
            env=_ENVIRONMENT,
        )

    async def wrong(self) -> str | None:
        """Log in, see that the server's data are ours, and make the database if it is missing."""
        try:
            return await self._proved(DATABASE)
        except asyncpg.InvalidCatalogNameError:
            return await self._database_made()
        except asyncpg.InvalidPasswordError as error:
            raise ServerProblem(
                f"the password kept in the data folder does not open PostgreSQL's data in "
                f"{self.folder}: {error}"
            ) from error
        except TimeoutError as error:
            raise Silent(f"no word within {_ANSWER_SECONDS:.0f} s") from error
        except _AWAY as error:
            return f"{type(error).__name__}: {error}"

    async def stuck(self) -> str | None:
        """Never: it goes on by itself once there is room, or ends."""
        return None

    def pid(self) -> int:
        """Return the process to signal; called while the lock is held."""
        return int(self._pid_file.read_text("utf-8").split("\n", 1)[0])

    @property
    def _pid_file(self) -> Path:
        return self.folder / "postmaster.pid"

    async def _connect(self, database: str) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(
            host=LOOPBACK,
            port=self.addresses.postgres,
            user=USER,
            password=self.password,
            database=database,
            ssl=False,
            timeout=_ANSWER_SECONDS,
        )

    async def _proved(self, database: str) -> str | None:
        connection = await self._connect(database)
        try:
            served = await connection.fetchval("SHOW data_directory", timeout=_ANSWER_SECONDS)
        finally:
            await connection.close(timeout=_ANSWER_SECONDS)
        if Path(served) != self.folder.resolve():
            return f"the server on port {self.addresses.postgres} is a stranger's (its data: {served})"
        return None

    async def _database_made(self) -> str | None:
        """Create the database, in a server that proved to be ours."""
        try:
            if (why := await self._proved("postgres")) is not None:
                return why
            connection = await self._connect("postgres")
            try:
                await connection.execute(f"CREATE DATABASE {DATABASE}")
            finally:
                await connection.close()
        except _AWAY as error:
            return f"{type(error).__name__}: {error}"
        return None

    def _make_cluster(self, programs: Path) -> None:
        """Run initdb beside the data folder and rename: the folder is whole or not there."""
        for left_over in self.place.glob(f"{_HALF_MADE}*"):
            shutil.rmtree(left_over)
        workshop = Path(tempfile.mkdtemp(prefix=_HALF_MADE, dir=self.place))
        secret = workshop / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password, "utf-8")
        give_to_service(workshop)
        give_to_service(secret)
        said = run_as_service(
            (
                str(programs / "initdb"),
                *("-D", str(workshop / "data")),
                *("-U", USER),
                "--encoding=UTF8",
                "--locale=C",
                "--auth=scram-sha-256",
                f"--pwfile={secret}",
                "--no-instructions",
                *_SYNC,
            ),
            _ENVIRONMENT,
            workshop,
        )
        if said is not None:
            raise ServerProblem(f"PostgreSQL's data cannot be made in {self.place}:\n{said}")
        (workshop / "data").rename(self.folder)
        shutil.rmtree(workshop)

    def _disown_stale_pid_file(self) -> None:
        """Let PostgreSQL take over a pid file whose process is a zombie or a stranger with the same id.

        The lock says that no process of the former server lives, but PostgreSQL believes the id. An id
        that no process can have is stale to it, and harms nobody when the server is stopped before it
        wrote its own. The shared memory the file names is still checked, which removing it would spare.
        """
        if self._pid_file.exists():
            _, _, rest = self._pid_file.read_text("utf-8").partition("\n")
            self._pid_file.write_text(f"{_NOBODY}\n{rest}", "utf-8")
