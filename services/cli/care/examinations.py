"""What `aps doctor` looks at: each check by a real trial, with the cure of what is wrong."""

import asyncio
import platform
import socket
import sys
from urllib.parse import urlsplit

import aiohttp
import nats.errors
import orjson
from nats.aio.client import Client
from pydantic import BaseModel

from events.evidence.head_proof import by_others
from events.evidence.heads import wrong
from events.jetstream.streams import compare, declare
from events.subjects import Address, subject
from projections.halting import CURE as CURE_OF_LOG
from projections.halting import cure_of_log, unlinked_after
from projections.heads import heads
from projections.projector import LogBehindCheckpoint
from projections.queries import Views
from schemas.base import Frozen
from services.cli.care.condition import absent
from services.gateway.health import ANOTHER_LOG, Asker, State, projections_lag, room_at
from services.runtime.answering import copies
from services.runtime.data_folder import decided_place
from services.runtime.embedded.programs import configuration_folder
from services.runtime.ground import refuse_lost_log
from services.runtime.head_keys import cure_of_trust, trusted_keys
from services.runtime.settings import Settings
from services.sandbox.detect import CURE, detect
from services.sandbox.port import NoSandbox
from services.workspace.git.version import CURE as GIT_CURE
from services.workspace.git.version import installed_git, is_usable

PYTHON = (3, 11)
NATS = (2, 12)  # publishes atomically from this version on
TRIED_NATS, TRIED_POSTGRESQL = (2, 15), 18
ANSWER_SECONDS = 2.0
REFUSAL_SECONDS = 1.0  # a refusal comes at once, an answer never
MONITORING_PORT = 8222
OF_ANOTHER = subject(Address("improvement", "doctor", "change_validated"))  # QA's fact
ELSEWHERE = {"Nats-Expected-Stream": "no-such-stream"}  # a stream that takes it all the same refuses it
CURE_OF_HEAD = (
    "see what else was altered: aps events verify. To go on from what was backed up before, in a data folder"
    " of its own: APS_HOME=FOLDER aps restore FILE"
)
SYNC_CURE = "set `jetstream { sync_interval: always }` as nats/server.conf does, and start NATS again"


class Check(Frozen):
    """One thing looked at. `cure` says what to do where it is not well, or what would be better."""

    name: str
    state: State
    detail: str
    cure: str = ""


class JetStreamSettings(BaseModel):
    """How messages reach the disk, as `/jsz` says it."""

    sync_always: bool = False


class JetStreamPage(BaseModel):
    """What `/jsz` says. (`/varz` keeps what it was when it was first asked: too early.)"""

    server_id: str
    config: JetStreamSettings = JetStreamSettings()


def python() -> Check:
    """Look at the interpreter's version."""
    version = sys.version_info[:3]
    state = State.OK if version >= PYTHON else State.FAILED
    return _check("python", state, platform.python_version(), "install Python 3.11 or newer")


async def git() -> Check:
    """Ask git for its version."""
    version = await installed_git()
    if version is None:
        return _check("git", State.FAILED, "not installed", GIT_CURE)
    return _check("git", State.OK if is_usable(version) else State.FAILED, version, GIT_CURE)


async def sandbox(settings: Settings) -> Check:
    """Run a probe in the best sandbox that works here."""
    try:
        level = (await detect()).level
    except NoSandbox as reason:
        accepted = settings.allow_unsandboxed
        state = State.DEGRADED if accepted else State.FAILED
        told = "targets' code runs unprotected, as APS_ALLOW_UNSANDBOXED accepts: " if accepted else ""
        return _check("sandbox", state, f"{told}{reason}", CURE)
    if level == "bubblewrap":
        return Check(name="sandbox", state=State.OK, detail=f"{level}, the best there is; a probe ran in it")
    better = "works; for the better one install the package `bubblewrap` (apt-get install bubblewrap)"
    return Check(name="sandbox", state=State.OK, detail=f"{level}; a probe ran in it", cure=better)


async def disk(settings: Settings) -> Check:
    """Ask how much room there is for the data folder, and for the data of servers brought along."""
    state, detail, *_ = await room_at(settings.home, decided_place(settings.home))
    cure = "free space there, 1 GiB or better more; or let APS_HOME name a folder on another disk"
    return _check("disk", state, detail, cure)


async def servers(asker: Asker) -> Check:
    """Ask both servers for a round trip."""
    ground, connection = asker.ground, asker.connection
    rtt = await connection.rtt()
    where = urlsplit(ground.database_url)
    how = "brought along" if ground.servers is not None else "given by the settings"
    url = connection.connected_url
    told = f"NATS at {url.hostname}:{url.port} ({round(rtt * 1_000_000)} µs)" if url else "NATS"
    database = await ground.database(ANSWER_SECONDS)
    await database.close()
    return Check(
        name="servers",
        state=State.OK,
        detail=f"{told}, PostgreSQL at {where.hostname}:{where.port or 5432}; {how}",
        cure="; ".join(ground.notes),
    )


async def versions(asker: Asker) -> Check:
    """Ask both servers what they are."""
    ground, connection = asker.ground, asker.connection
    found = connection.connected_server_version
    server = (found.major, found.minor, found.patch)
    database = await ground.database(ANSWER_SECONDS)
    try:
        major = database.get_server_version().major
        said = await database.fetchval("show server_version")
    finally:
        await database.close()
    state = State.OK
    if server < TRIED_NATS or major < TRIED_POSTGRESQL:
        state = State.FAILED if server < NATS else State.DEGRADED
    tried = f"NATS {_dotted(TRIED_NATS)} and PostgreSQL {TRIED_POSTGRESQL}"
    cure = f"take {tried}, with which this was tried; NATS {_dotted(NATS)} at least"
    return _check("versions", state, f"NATS {_dotted(server)}, PostgreSQL {said}", cure)


async def sync(asker: Asker) -> Check:
    """Ask for the flush of messages at the monitoring port, ours or the usual one."""
    servers, url = asker.ground.servers, asker.connection.connected_url
    usual = f"http://{url.hostname if url else ''}:{MONITORING_PORT}"
    return await sync_at(asker.connection, servers.monitoring_url if servers else usual)


async def sync_at(connection: Client, pages: str) -> Check:
    """Ask the very server that is connected whether it flushes each message before it acknowledges."""
    url = connection.connected_url
    try:
        page = await _jetstream_page(pages)
        own = await asyncio.to_thread(_server_id, url.hostname or "", url.port or 4222) if url else ""
    except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as problem:
        cure = f"open NATS's monitoring port {MONITORING_PORT} to this machine, or see yourself: {SYNC_CURE}"
        return _check("sync", State.DEGRADED, f"cannot be asked at {pages}: {_words(problem)}", cure)
    if page.server_id != own:
        return _check("sync", State.DEGRADED, f"{pages} belongs to another server", SYNC_CURE)
    if not page.config.sync_always:
        return _check("sync", State.FAILED, "an acknowledged event can be lost with the power", SYNC_CURE)
    return Check(name="sync", state=State.OK, detail="each event is on the disk before it is acknowledged")


async def streams(asker: Asker) -> Check:
    """Compare streams and consumers with their declaration; embedded ones that are missing are made."""
    ground = asker.ground
    folder = configuration_folder()
    if ground.servers is not None:
        admin = await ground.connect("admin")
        try:
            await refuse_lost_log(ground, admin)
            drift = await declare(admin, folder, ground.settings.nats_replicas)
        except LogBehindCheckpoint as problem:
            return _check("streams", State.FAILED, str(problem), CURE_OF_LOG)
        finally:
            await admin.close()
    else:
        drift = await compare(asker.connection, folder, ground.settings.nats_replicas)
    told = "; ".join(f"{d.where}: {d.field} is {d.found!r}, declared {d.declared!r}" for d in drift)
    return _check("streams", State.FAILED if drift else State.OK, told or "as declared", "run: aps setup")


async def permissions(asker: Asker) -> Check:
    """Try to record another role's fact, in a way that stores nothing even where it is allowed."""
    ground = asker.ground
    user = next((name for name in ("developer", "cli", "inspector") if ground.password(name)), "developer")
    connection = await ground.connect(user)
    cure = "run NATS with nats/users.conf: one user per role, each held to its own facts"
    try:
        await connection.request(OF_ANOTHER, b"{}", timeout=REFUSAL_SECONDS, headers=dict(ELSEWHERE))
    except nats.errors.TimeoutError:
        refused = "permissions violation" in str(connection.last_error or "").lower()
        state = State.OK if refused else State.DEGRADED
        told = f"{user} is refused what only QA may record" if refused else f"no answer to what {user} tried"
        return _check("permissions", state, told, cure)
    except nats.errors.NoRespondersError:
        return _check("permissions", State.FAILED, f"nothing keeps {user} from another's facts", cure)
    finally:
        await connection.close()
    return _check("permissions", State.FAILED, f"{user} may record what only QA may", cure)


async def projections(asker: Asker) -> Check:
    """Compare the views with the log: how far behind, whether it is the same log, whether they can go on."""
    state, detail, *_ = await projections_lag(asker)
    at, head = await Views(asker.pool).checkpoint(), await asker.store.head()
    if ANOTHER_LOG in detail:
        return _check("projections", state, detail, cure_of_log(at.seq, head))
    if 0 < at.seq < head:
        async with asker.pool.acquire() as connection:
            halted = await unlinked_after(connection, asker.store, at)
        if halted:
            return _check("projections", State.FAILED, halted, cure_of_log(at.seq, head))
    cure = "run a projector (aps up, or aps run projector); when that does not mend it: aps views rebuild"
    return _check("projections", state, detail, cure)


async def signed_heads(asker: Asker) -> Check:
    """Look at the newest signed head: whether its signature counts, and the log still reaches it."""
    own = trusted_keys(asker.ground.settings)
    async with asker.pool.acquire() as connection:
        found = await heads(connection)
    if not found:
        return Check(name="heads", state=State.OK, detail="none yet: the first comes with the first events")
    last, end = found[-1], await asker.store.head()
    if problem := wrong(last, own):
        strange = by_others([last], own)
        cure = cure_of_trust(asker.ground.settings, last.key) if strange else CURE_OF_HEAD
        return _check("heads", State.FAILED, f"at sequence {last.seq}, {problem}", cure)
    if last.seq > end:
        told = f"the log was signed up to {last.seq} and ends at {end}: its tail was cut off"
        return _check("heads", State.FAILED, told, f"see what is gone: aps events verify. {CURE_OF_LOG}")
    return Check(name="heads", state=State.OK, detail=f"{len(found)}, the newest at {last.seq} of {end}")


async def services(asker: Asker) -> Check:
    """Ask which services run; where a gateway does, the others are wanted too."""
    found = await copies(asker.connection)
    told = ", ".join(f"{name} {len(instances)}" for name, instances in found.items())
    missing = absent(found)
    if missing:
        cure = "see why it ended: aps logs --level error; start it: aps run NAME, or all: aps up"
        return _check("services", State.FAILED, f"{', '.join(missing)} not running; {told}", cure)
    return Check(name="services", state=State.OK, detail=told or "none runs now; `aps up` runs all")


async def _jetstream_page(pages: str) -> JetStreamPage:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{pages}/jsz") as answer:
        answer.raise_for_status()
        return JetStreamPage.model_validate_json(await answer.read())


def _server_id(host: str, port: int) -> str:
    """Return the id with which the server greets whoever connects."""
    with socket.create_connection((host, port), ANSWER_SECONDS) as connection:
        line = connection.makefile("rb").readline().removeprefix(b"INFO ")
    return str(orjson.loads(line)["server_id"])


def version_of(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version."""
    numbers: list[int] = []
    for part in text.split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _check(name: str, state: State, detail: str, cure: str) -> Check:
    return Check(name=name, state=state, detail=detail, cure="" if state is State.OK else cure)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _words(problem: BaseException) -> str:
    return str(problem) or type(problem).__name__
