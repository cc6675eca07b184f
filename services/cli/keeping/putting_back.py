"""Puts an archive back into an empty log, and proves what then stands there.

Rules
1. An archive is proven whole before anything is written; one that is not sound is refused.
2. A log that is not empty is refused, unless it is the beginning of what is restored: then an interrupted
   restore goes on.
3. Whatever stands there already is neither stored twice nor overwritten.
4. A data folder that has no key that signs, and gets none from the archive, gets a new one, and that is said:
   what is restored must be able to go on.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from nats.aio.client import Client

from events.evidence.archive import Chunk, KeyFile, Message, Setting, part
from events.evidence.export import Exported, Other, decoded
from events.evidence.heads import PublicKey
from events.evidence.verify_export import ExportProof
from events.jetstream.moments import restored
from events.jetstream.restoring import Kept, Restoring
from events.jetstream.stream_reader import StreamReader
from events.subjects import STREAM
from projections.heads import keep
from projections.queries import Views
from services.cli.desk import at_views, open_pool
from services.cli.history.proving import prove_standing
from services.cli.history.proving_file import lines_of, prove_lines
from services.cli.history.telling import Proof, told
from services.cli.keeping.beside import Beside
from services.cli.keeping.kept import give_back_keys, give_back_settings, trust_signer
from services.cli.session import Exit, Stop, print_json, say
from services.cycle.words import counted
from services.runtime.data_folder import DataFolder
from services.runtime.ground import Ground, set_up, stand
from services.runtime.head_keys import own_key, signing_key, trusted_keys
from services.runtime.settings import Settings

ADMIN = "admin"


@dataclass
class Put:
    """What was put back."""

    source: str
    events: int = 0
    chunks: int = 0
    messages: int = 0
    dropped: int = 0
    kept_in: str = ""
    key_made: str = ""


@dataclass
class Reading:
    """One reading of a proven archive: gives its log, and puts back the rest as it comes by."""

    file: str
    settings: Settings
    beside: Beside
    found: list[Setting] = field(default_factory=list)
    keys: list[KeyFile] = field(default_factory=list)

    async def log(self) -> AsyncIterator[Kept]:
        """Yield the events; what comes before them is put back first."""
        with lines_of(self.file, "restoring") as lines:
            for raw in lines:
                line = decoded(raw)
                if isinstance(line, Exported):
                    yield Kept(line.seq, line.subject, line.body, line.stored)
                elif isinstance(line, Other):
                    await self._part(line)

    async def _part(self, line: Other) -> None:
        match part(line):
            case Chunk() as chunk:
                await self.beside.put_chunk(chunk)
            case Message() as message:
                await self.beside.put_message(message)
            case Setting() as setting:
                self.found.append(setting)
            case KeyFile() as key:
                self.keys.append(key)


async def restore(settings: Settings, file: str, keys: Sequence[PublicKey], *, as_json: bool) -> None:
    """Put back an archive. Ends the command with 1 for one that is not sound, 5 where another log is, or was
    whose views go on after the archive."""
    with lines_of(file, "proving the archive") as lines:
        proof, reading = prove_lines(lines, keys)
    _require_sound(file, proof)
    for note in proof.notes:
        say(note)
    folder = DataFolder(settings.home)
    if settings.nats_url is None and not folder.servers.exists():
        # before servers stand, which would make a secret of their own
        folder.create()
        give_back_keys(settings.home, keys_of(file))
    async with stand(settings, say, lost_log_too=True) as ground:
        await begin_anew(ground)
        connection = await ground.connect(ADMIN)
        try:
            put = await _put_back(ground, connection, file, reading)
        finally:
            await connection.close()
        await finish(settings, put, as_json=as_json)


async def begin_anew(ground: Ground) -> None:
    """Make the streams where they are lost: what is put back goes there."""
    await set_up(ground, anew=True)


def keys_of(file: str) -> list[KeyFile]:
    """Return the key files of an archive; they stand at its beginning."""
    found: list[KeyFile] = []
    with lines_of(file, "") as lines:
        for line in map(decoded, lines):
            one = part(line) if isinstance(line, Other) else None
            if isinstance(one, KeyFile):
                found.append(one)
            elif isinstance(line, Exported) or isinstance(one, Chunk | Message):
                break
    return found


async def _put_back(ground: Ground, connection: Client, file: str, proven: ExportProof) -> Put:
    await _require_room(connection)
    await _require_no_longer_journal(ground, file, proven.events)
    settings, beside = ground.settings, Beside(connection)
    archive = Reading(file, settings, beside)
    events = await Restoring(connection).restore(archive.log())
    give_back_keys(settings.home, archive.keys)
    own = own_key(settings)
    made = signing_key(settings).public if own is None else None
    for key in proven.keys:
        trust_signer(settings.home, key, own.public if own else None)
    give_back_settings(settings.home, archive.found)
    async with open_pool(ground) as pool, pool.acquire() as database:
        await keep(database, proven.heads)
    return Put(file, events, beside.chunks, beside.messages, key_made=made.text if made else "")


async def finish(settings: Settings, put: Put, *, as_json: bool) -> None:
    """Build the views from what stands there now, prove it all, and tell."""
    async with at_views(settings) as desk:
        proof = await prove_standing(desk.connection, desk.pool, trusted_keys(settings))
    if as_json:
        found = {"events": proof.events, "sound": proof.sound, "signed": proof.signed}
        restored_now = {"put": put.events, "chunks": put.chunks, "messages": put.messages}
        dropped = {"dropped": put.dropped, "kept_in": put.kept_in, "key_made": put.key_made}
        print_json({"from": put.source, **restored_now, **dropped, **found, "faults": proof.faults})
    else:
        beside = f", chunks of artefacts {put.chunks}, other messages {put.messages}" if put.chunks else ""
        print(f"put back from {put.source}: events {put.events}{beside}; the log has {proof.events}")
        for fault in proof.faults:
            print(told(fault))
    if put.key_made:
        made = f"no key that signs came with it: a new one was made, {put.key_made}"
        say(f"{made}. Keep that where the log is not")
    if not proof.sound:
        raise Stop(Exit.FAILED, f"what stands there now is not sound: {counted(len(proof.faults), 'fault')}")


def _require_sound(file: str, proof: Proof) -> None:
    if proof.sound:
        return
    for fault in proof.faults:
        say(told(fault))
    count = counted(len(proof.faults), "fault")
    raise Stop(Exit.FAILED, f"{file} is not sound ({count}): nothing of it was restored")


async def _require_room(connection: Client) -> None:
    reader = StreamReader(connection, STREAM)
    head = await reader.head()
    if head and head not in await restored(reader):
        raise Stop(
            Exit.CONFLICT,
            f"the log is not empty: it has {counted(head, 'event')}. Restore into a data folder of its"
            " own (APS_HOME), or remove what stands there first: aps reset",
        )


async def _require_no_longer_journal(ground: Ground, file: str, events: int) -> None:
    """End the command with 5 where the log was lost and its views know more of it than the archive has."""
    async with open_pool(ground) as pool:
        at = (await Views(pool).checkpoint()).seq
    if at > events:
        raise Stop(
            Exit.CONFLICT,
            f"the views here are at {at}, {file} ends at {events}: nothing was restored. All come back"
            " with: aps restore --journal. For what the archive has alone, remove the views first:"
            " aps reset",
        )
