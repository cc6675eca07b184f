"""Holds the two copies of the signed heads against their keys and against each other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from events.evidence.heads import Head, PublicKey, gaps, wrong
from events.evidence.verify import Fault

DATABASE, STREAM = "heads in the database", "heads on the stream"


@dataclass(frozen=True)
class HeadProof:
    """The heads that count, by sequence, and what is wrong."""

    sound: tuple[Head, ...]
    faults: tuple[Fault, ...]


def prove_heads(database: Sequence[Head], stream: Sequence[Head], trusted: Sequence[PublicKey]) -> HeadProof:
    """Return the heads that a trusted key signed, from either copy."""
    faults: list[Fault] = []
    kept = _sound(database, DATABASE, trusted, faults)
    copied = _sound(stream, STREAM, trusted, faults)
    faults += _apart({head.seq for head in database}, {head.seq for head in stream})
    faults += _unlike(kept, copied)
    merged = {**copied, **kept}
    sound = tuple(merged[seq] for seq in sorted(merged))
    everything = {head.seq: head for head in (*stream, *database)} | merged
    for head, problem in gaps(everything[seq] for seq in sorted(everything)):
        if head.seq in merged:
            faults.append(Fault(head.seq, DATABASE, problem))
    return HeadProof(sound, tuple(faults))


def _sound(
    heads: Sequence[Head], where: str, trusted: Sequence[PublicKey], faults: list[Fault]
) -> dict[int, Head]:
    sound = {}
    strange = by_others(heads, trusted)
    faults += _strange(strange, where, trusted)
    for head in heads:
        if head in strange:
            continue
        if problem := wrong(head, trusted):
            faults.append(Fault(head.seq, where, problem))
        else:
            sound[head.seq] = head
    return sound


def by_others(heads: Iterable[Head], trusted: Sequence[PublicKey]) -> frozenset[Head]:
    """Return the heads whose key is none of the trusted ones."""
    known = {key.id for key in trusted}
    return frozenset(head for head in heads if head.key not in known)


def _strange(heads: frozenset[Head], where: str, trusted: Sequence[PublicKey]) -> Iterator[Fault]:
    """Yield one fault for each key, however many heads it signed."""
    for key in sorted({head.key for head in heads}):
        its = sorted((head for head in heads if head.key == key), key=lambda head: head.seq)
        first, last = its[0], its[-1]
        what = wrong(first, trusted) or ""
        if len(its) > 1:
            what = f"{what}; so are {len(its) - 1} more, up to sequence {last.seq}"
        yield Fault(first.seq, where, what)


def _apart(database: set[int], stream: set[int]) -> Iterator[Fault]:
    """Yield the heads that one copy lost. The stream's may be behind: it is written after the database."""
    for seq in sorted(stream - database):
        yield Fault(seq, DATABASE, "the head is missing; the stream has it")
    for seq in sorted(database - stream):
        if seq < max(stream, default=0):
            yield Fault(seq, STREAM, "the head is missing; the database has it")


def _unlike(kept: dict[int, Head], copied: dict[int, Head]) -> Iterator[Fault]:
    for seq in sorted(kept.keys() & copied.keys()):
        if kept[seq] != copied[seq]:
            yield Fault(seq, STREAM, "the head is another than the database's, and both are signed")
