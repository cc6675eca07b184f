"""Makes servers ready for the swarm: streams as declared, and a way in for the ordinary `nats` tool."""

import shlex
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import orjson
from pydantic import BaseModel, ConfigDict

from events.jetstream.streams import Drift, compare, declare
from events.subjects import PREFIX, STREAM
from projections.database import SCHEMA
from projections.heads import evidence
from projections.projector import LogBehindCheckpoint
from services.cli.care.footing import footing
from services.cli.session import Exit, Stop, print_json, say
from services.runtime.data_folder import DataFolder, write_durably
from services.runtime.embedded.programs import configuration_folder
from services.runtime.ground import Ground, refuse_lost_log
from services.runtime.secret import settle_secret
from services.runtime.settings import Settings
from services.runtime.tls import database_away, of_nats
from services.vault.jetstream import JetStreamKeyStore

CONTEXT = "nats-inspector.json"
INSPECTOR = "inspector"
OF_ONES_OWN = (
    f". With servers of your own that is to remove their streams, and the schemas {SCHEMA} and"
    f" {evidence(SCHEMA)} of the database, by hand"
)


class Context(BaseModel):
    """A context file of the `nats` tool, as far as it is filled in here."""

    model_config = ConfigDict(extra="allow", frozen=True)

    url: str
    user: str
    password: str


async def setup(settings: Settings, *, as_json: bool) -> None:
    """Declare what is missing, put right what differs, write the context file, and tell it.

    Ends the command with 1 where the log was lost: nothing is declared then, for a second log would begin.
    """
    async with footing(settings) as ground:
        await _database_answers(ground)
        await _refuse_lost_log(ground)
        changed = await declared(ground)
        context = write_context(ground)
    if as_json:
        print_json({"changed": changed, "context": str(context)})
    for one in changed:
        say(f"put right: {one}")
    say("streams and consumers stand as declared" + ("" if changed else "; nothing was to be done"))
    at = shlex.quote(str(context))
    say(f"look inside with the ordinary nats tool (file of the read-only user {INSPECTOR}):")
    say(f"  nats --context {at} sub '{PREFIX}.improvement.>'")
    say(f"  nats --context {at} stream view {STREAM}")
    if ground.servers is not None:
        say("the servers run as long as a command uses them, such as: aps up")


async def declared(ground: Ground) -> list[str]:
    """Bring streams and consumers to their declaration as admin; return what was otherwise before.

    The secret is taken for the keys' where there is none yet. Raises `WrongSecret`.
    """
    folder, replicas = configuration_folder(), ground.settings.nats_replicas
    connection = await ground.connect("admin")
    try:
        before = await compare(connection, folder, replicas)
        left = await declare(connection, folder, replicas, update=True)
        if not left:
            await settle_secret(JetStreamKeyStore(connection), ground.settings)
    finally:
        await connection.close()
    if left:
        told = "; ".join(map(_told, left))
        raise Stop(
            Exit.CONFLICT, f"the server does not take the declaration: {told}. Nothing was deleted for it"
        )
    return [_told(drift) for drift in before]


def write_context(ground: Ground) -> Path:
    """Write the context file of the inspection user, readable by the owner alone; return its path."""
    shipped = configuration_folder() / "contexts" / "inspector.json"
    context = Context.model_validate(orjson.loads(shipped.read_bytes()))
    password = ground.password(INSPECTOR)
    filled = context.model_copy(
        update={"url": ground.nats_url, "user": "", "password": ""}
        if password is None  # the address carries the credentials
        else {"url": _bare(ground.nats_url), "password": password}
    )
    if tls := of_nats(ground.settings):
        files = {"ca": tls.ca, "cert": tls.cert, "key": tls.key}
        filled = filled.model_copy(update={part: str(file) for part, file in files.items() if file})
    folder = DataFolder(ground.settings.home)
    folder.create()
    file = folder.home / CONTEXT
    write_durably(file, filled.model_dump_json(indent=2) + "\n")
    return file


async def _database_answers(ground: Ground) -> None:
    try:
        connection = await ground.database(10)
        await connection.close()
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ) as problem:
        raise Stop(Exit.UNAVAILABLE, database_away(ground.database_url, problem)) from problem


async def _refuse_lost_log(ground: Ground) -> None:
    connection = await ground.connect("admin")
    try:
        await refuse_lost_log(ground, connection)
    except LogBehindCheckpoint as problem:
        anew = "" if ground.servers is not None else OF_ONES_OWN
        raise Stop(Exit.FAILED, f"nothing was declared: {problem}{anew}") from problem
    finally:
        await connection.close()


def _bare(urls: str) -> str:
    """Return the addresses without credentials."""
    parts = [urlsplit(url.strip()) for url in urls.split(",")]
    return ",".join(urlunsplit(part._replace(netloc=part.netloc.rpartition("@")[2])) for part in parts)


def _told(drift: Drift) -> str:
    if drift.found is None and drift.field == "existence":
        return f"{drift.where} was not there"
    return f"{drift.where}: {drift.field} was {drift.found!r}, is declared {drift.declared!r}"
