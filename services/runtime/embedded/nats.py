"""The embedded NATS server: how it is launched, and how it proves to be this data folder's own."""

import asyncio
import hashlib
import json
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from services.runtime.data_folder import make_folder, write_durably
from services.runtime.embedded.addresses import LOOPBACK, Addresses
from services.runtime.embedded.problem import ServerProblem
from services.runtime.embedded.process import Launch, Silent, give_to_service
from services.runtime.embedded.programs import nats_server

_ANSWER_SECONDS = 5.0
# What `/healthz` says of states that last until the server is started anew, and what a person is told.
_LASTING = {"write error": "could not write its log", "JetStream not enabled": "switched its log off"}


class _Info(BaseModel):
    """What the server says of itself to whoever connects, as far as it proves something."""

    server_id: str
    server_name: str


class _JetStreamConfig(BaseModel):
    sync_always: bool = False


class _JetStream(BaseModel):
    """What the monitoring port says. (`/varz` keeps what it was when it was first asked: too early.)"""

    server_id: str
    config: _JetStreamConfig = _JetStreamConfig()


class _Trouble(BaseModel):
    error: str = ""


class _Health(BaseModel):
    """What `/healthz` says is not well."""

    errors: tuple[_Trouble, ...] = ()


@dataclass(frozen=True)
class NatsServer:
    """One `nats-server` with the shipped configuration and the passwords of its users."""

    place: Path
    logs: Path
    addresses: Addresses
    passwords: Mapping[str, str]
    configuration: Path
    title: Literal["NATS"] = "NATS"
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def lock(self) -> Path:
        """The file locked while it lives."""
        return self.place / "nats.lock"

    @property
    def log(self) -> Path:
        """The file its output is appended to."""
        return self.logs / "nats-server.log"

    @property
    def folder(self) -> Path:
        """Its data folder."""
        return self.place / "nats"

    def prepare(self) -> Launch:
        """Copy the configuration to where the server's uid can read it; see `Server`."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._pid_file.unlink(missing_ok=True)  # a former server's id may be a stranger's by now
        give_to_service(self.folder)
        reachable = self.place / "configuration"
        make_folder(reachable, 0o755)
        for file in self.configuration.glob("*.conf"):
            shutil.copyfile(file, reachable / file.name)
            (reachable / file.name).chmod(0o644)
        write_durably(self._digest_file, self._digest())
        return Launch(argv=self._argv(reachable / "server.conf"), env=self._environment())

    def is_outdated(self) -> bool:
        """Whether it was last launched with another configuration, other users or other passwords."""
        return not self._digest_file.exists() or self._digest_file.read_text("utf-8") != self._digest()

    async def wrong(self) -> str | None:
        """Ask who it is, whether it flushes every message, and whether our password opens it."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._proved()
        except TimeoutError as error:
            raise Silent(f"no word within {_ANSWER_SECONDS:.0f} s") from error
        except (OSError, EOFError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    async def stuck(self) -> str | None:
        """Ask how it is: after a failed write it takes nothing more, not even when the cause is gone."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return lasting(await _get(self.addresses.monitoring, "/healthz?details=true"))
        except (OSError, EOFError, ValueError, TimeoutError):
            return None  # starting, or gone: `wrong` and its lock tell

    def pid(self) -> int:
        """Return the process to signal; called while the lock is held."""
        return int(self._pid_file.read_text("utf-8"))

    @property
    def _pid_file(self) -> Path:
        return self.folder / "nats-server.pid"

    @property
    def _digest_file(self) -> Path:
        return self.place / "configuration" / "digest"

    def _digest(self) -> str:
        parts = [file.read_bytes() for file in sorted(self.configuration.glob("*.conf"))]
        parts += [f"{user}:{password}".encode() for user, password in sorted(self.passwords.items())]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def _argv(self, configuration: Path) -> tuple[str, ...]:
        return (
            str(nats_server(self.place)),
            *("-c", str(configuration)),
            *("-n", self.addresses.name),
            *("-a", LOOPBACK),
            *("-p", str(self.addresses.nats)),
            *("-m", str(self.addresses.monitoring)),
            *("-sd", str(self.folder)),
            *("-P", str(self._pid_file)),
        )

    def _environment(self) -> dict[str, str]:
        return {
            f"APS_NATS_{user.upper()}_PASSWORD": password for user, password in self.passwords.items()
        } | {"TZ": "UTC"}

    async def _proved(self) -> str | None:
        """Tell a stranger by the name before the password is sent."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self.addresses.nats)
        try:
            info = _Info.model_validate_json((await reader.readline()).removeprefix(b"INFO "))
            if info.server_name != self.addresses.name:
                return f"the server on port {self.addresses.nats} is a stranger's ({info.server_name})"
            user, password = next(iter(self.passwords.items()))
            connect = json.dumps({"user": user, "pass": password, "verbose": False, "pedantic": False})
            writer.write(f"CONNECT {connect}\r\nPING\r\n".encode())
            answer = (await reader.readline()).decode("utf-8", "replace").strip()
        finally:
            writer.close()
            await writer.wait_closed()
        if answer != "PONG":
            return f"it refuses the user {user}: {answer}"
        return await self._flushing(info.server_id)

    async def _flushing(self, server_id: str) -> str | None:
        """See that the same server monitors itself and flushes every message before it acknowledges."""
        jetstream = _JetStream.model_validate_json(await _get(self.addresses.monitoring, "/jsz"))
        if jetstream.server_id != server_id:
            return f"the server on port {self.addresses.monitoring} is a stranger's ({jetstream.server_id})"
        if not jetstream.config.sync_always:
            raise ServerProblem("NATS runs without `sync_interval: always`, so it could lose events")
        return None


def lasting(page: bytes) -> str | None:
    """Return what is said on `/healthz?details=true` to be wrong for as long as the server lives, or None.

    Raises ValueError for another page.
    """
    errors = [one.error for one in _Health.model_validate_json(page).errors]
    return next((told for words, told in _LASTING.items() if any(words in said for said in errors)), None)


async def _get(port: int, path: str) -> bytes:
    """Return the body of a page of the monitoring port."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    return answer.partition(b"\r\n\r\n")[2]
