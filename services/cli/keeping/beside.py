"""Puts back what stands beside the log: chunks of artefacts, and messages of other streams by their order.

Rules
1. Whatever is there already is not stored twice: an interrupted restore can go on.
2. Messages get new numbers, by their order; the closing of a dead letter follows its letter.
3. Keys of what is sealed go by their subject: none comes back that was deleted since.
"""

from nats.aio.client import Client

from events.evidence.archive import Chunk, Message
from events.jetstream.committer import Committer, Uncertain
from events.jetstream.stream_reader import EXPECTED, StreamReader
from events.jetstream.wire import Message as Sent
from events.store import Unavailable
from events.subjects import ARTEFACT_STREAM, DEAD_LETTER_STREAM, KEY_STREAM, closed_letter
from services.steering.letters import CLOSINGS, Closing
from services.vault.jetstream import JetStreamKeyStore
from services.vault.putting_back import put_back

SERVERS_OWN = "Nats-"


class Beside:
    """Writes as `admin`. The connection stays the caller's."""

    def __init__(self, connection: Client) -> None:
        """Count what was put back in `chunks` and `messages`."""
        self.chunks = 0
        self.messages = 0
        self._connection = connection
        self._committer = Committer(connection)
        self._artefacts = StreamReader(connection, ARTEFACT_STREAM)
        self._keys = JetStreamKeyStore(connection)
        self._there: dict[str, int] = {}
        self._numbers: dict[str, dict[int, int]] = {}

    async def put_chunk(self, chunk: Chunk) -> None:
        """Store a chunk that is not there. Raises `Unavailable`."""
        try:
            await self._committer.commit([Sent(chunk.subject, chunk.body, {EXPECTED: "0"})])
        except Uncertain as uncertain:
            if await self._artefacts.last(chunk.subject) is None:
                raise Unavailable(f"{chunk.subject} was not taken: {uncertain}") from uncertain
        else:
            self.chunks += 1

    async def put_message(self, message: Message) -> None:
        """Store a message of another stream. Raises `Unavailable`."""
        if message.stream == KEY_STREAM:
            await put_back(self._keys, message.subject, message.body)
            self.messages += 1
            return
        if message.stream not in self._there:
            self._there[message.stream] = await StreamReader(self._connection, message.stream).head()
        numbers = self._numbers.setdefault(message.stream, {})
        numbers[message.number] = len(numbers) + 1
        if numbers[message.number] <= self._there[message.stream]:
            return
        try:
            await self._committer.commit([_renumbered(message, numbers)])
        except Uncertain as uncertain:
            raise Unavailable(f"{message.subject} was not taken: {uncertain}") from uncertain
        self.messages += 1


def _renumbered(message: Message, numbers: dict[int, int]) -> Sent:
    headers = {name: value for name, value in message.headers.items() if not name.startswith(SERVERS_OWN)}
    if message.stream != DEAD_LETTER_STREAM or not message.subject.startswith(CLOSINGS):
        return Sent(message.subject, message.body, headers)
    closing = Closing.model_validate_json(message.body)
    number = numbers.get(closing.letter, closing.letter)
    moved = closing.model_copy(update={"letter": number})
    return Sent(closed_letter(number), moved.model_dump_json(exclude_defaults=True).encode(), headers)
