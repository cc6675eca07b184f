"""A log told to memory, as an export with signed heads: for tests that spoil it."""

import io
from collections.abc import Sequence

from events.envelope import NO_HASH
from events.evidence.export import ExportWriter, Opening
from events.evidence.heads import Head, SigningKey, sign
from events.evidence.verify import Fault, chained
from events.evidence.verify_export import ExportProof
from events.jetstream.stream_reader import Stored
from events.store import Recorded
from events.unreadable import message_of
from tests.projection_facts import START

OURS = SigningKey(bytes(32))
THEIRS = SigningKey(bytes([1]) * 32)
NOON = START.isoformat()


def stored(event: Recorded) -> Stored:
    """The event as a message of the stream."""
    return Stored(event.seq, *message_of(event.envelope))


def heads_of(log: Sequence[Recorded], every: int, key: SigningKey = OURS) -> list[Head]:
    """A head after each `every` events and after the last."""
    chain, heads = NO_HASH, list[Head]()
    for event in log:
        chain = chained(chain, event.envelope.hash)
        if event.seq % every == 0 or event is log[-1]:
            heads.append(sign(event.seq, heads[-1].seq if heads else 0, chain, START, key))
    return heads


def export_of(log: Sequence[Recorded], heads: Sequence[Head], key: SigningKey | None = OURS) -> list[bytes]:
    """The lines of an export."""
    out = io.BytesIO()
    last = log[-1].seq if log else 0
    writer = ExportWriter(out, Opening(last, OURS.public.text, NOON), heads, key)
    for event in log:
        message = stored(event)
        writer.event(message.seq, message.subject, NOON, message.body)
    writer.close()
    return out.getvalue().splitlines(keepends=True)


def faults_of(lines: Sequence[bytes], key: SigningKey | None = OURS) -> list[Fault]:
    """What a proof of the lines finds; without `key`, by the one inside."""
    return [*ExportProof([key.public] if key else []).read(lines)]
