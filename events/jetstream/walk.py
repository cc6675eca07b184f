"""Reads the events of one aggregate from its head back, without scanning the stream.

Rules
1. An event's concurrency header says where the one before it stands; without one it is the message directly
   before, where that is of the same aggregate. An event that has neither was not appended by a store: what
   stands before it is found by subject.
2. A way that leads to another aggregate's message breaks this aggregate, whatever is in that message.
3. A message that is no event is no version, links to nothing, and its headers lead nowhere. Where one stands
   on the way the aggregate is read by its subjects instead, all of it, and is whole when the leader counts
   no more messages there: behind such a message nothing would show that a replica had not all yet.
"""

from dataclasses import replace

from events.appending import link
from events.envelope import Unreadable, decode, parts_of
from events.jetstream.replicas import Lag
from events.jetstream.stream_reader import Stored, StreamReader
from events.past import NOTHING, Key, Past
from events.store import Broken, Misplaced, Recorded
from events.subjects import aggregate_subjects, place
from events.unreadable import is_unreadable, stand_in

PAGE = 1000


class Walk:
    """One way back: what was fetched on it, by sequence."""

    def __init__(self, reader: StreamReader, key: Key, known: Past, lag: Lag) -> None:
        """`known` is a beginning of the aggregate that needs no reading; `lag` bounds the whole way."""
        self._reader = reader
        self._key = key
        self._known = known
        self._lag = lag
        self._fetched: dict[int, Stored] = {}

    async def back_from(self, head: Stored) -> Past:
        """Return the aggregate up to `head`.

        It may come to stand after `head`, which may be no event. Raises `Broken` where an event is missing
        or does not link.
        """
        events = [recorded(head)]
        self._fetched[head.seq] = head
        if is_unreadable(events[0].envelope):
            return await self._by_subjects()
        if not self._known[0] and not head.earlier:
            await self._fetch_lasts()
        last = head
        while (before := await self._before(last, events[-1])) > self._known[1].stream_seq:
            last = await self._at(before, last)
            if not self._is_own(last):
                way = f"the way back of {self._where} from sequence {events[-1].seq}"
                raise Broken(f"{way} leads to {before}, a message of another aggregate")
            events.append(recorded(last))
            if is_unreadable(events[-1].envelope):
                return await self._by_subjects()
        return self._linked(events[::-1], self._known)

    async def _by_subjects(self) -> Past:
        """Return the whole aggregate by what stands on its subjects."""
        subjects = aggregate_subjects(*self._key)
        found: list[Stored] = []
        while True:
            while page := await self._reader.page(found[-1].seq if found else 0, PAGE, subjects=subjects):
                found += page
            if sum((await self._reader.counts(subjects)).values()) <= len(found):
                break
            # a replica that has not all yet, or somebody appended meanwhile: what was found may have a gap
            found.clear()
            await self._lag.wait(f"not all of {self._where} is found on its subjects")
        events = [recorded(stored) for stored in found]
        readable = [event for event in events if not is_unreadable(event.envelope)]
        past, position = self._linked(readable, NOTHING)
        return past, replace(position, stream_seq=found[-1].seq)

    async def _before(self, stored: Stored, event: Recorded) -> int:
        if stored.expected is not None:
            return stored.expected
        before = stored.seq - 1
        if before <= self._known[1].stream_seq or self._is_own(await self._at(before, stored)):
            return before
        while True:
            found = await self._reader.lasts(aggregate_subjects(*self._key), before)
            if found or event.envelope.sequence == 1:
                return max((one.seq for one in found), default=0)
            await self._lag.wait(f"nothing of {self._where} stands before sequence {stored.seq}")

    @property
    def _where(self) -> str:
        return "/".join(self._key)

    def _is_own(self, stored: Stored) -> bool:
        return stored.subject.rpartition(".")[0] == aggregate_subjects(*self._key).rpartition(".")[0]

    async def _at(self, seq: int, after: Stored) -> Stored:
        if seq not in self._fetched:
            await self._fetch(seq, after)
        return self._fetched[seq]

    async def _fetch_lasts(self) -> None:
        for stored in await self._reader.lasts(aggregate_subjects(*self._key)):
            self._fetched[stored.seq] = stored

    async def _fetch(self, before: int, after: Stored) -> None:
        known = self._known[1].stream_seq
        wanted = {seq for seq in after.earlier if seq > known and seq not in self._fetched}
        while True:
            for stored in await self._reader.these(sorted({before, *wanted})):
                self._fetched[stored.seq] = stored
            if before in self._fetched:
                return
            # another replica than that of the head may have answered
            await self._lag.wait(f"sequence {before} of {self._where} is missing")

    def _linked(self, fresh: list[Recorded], known: Past) -> Past:
        events, position = known
        for event in fresh:
            if event.envelope.subject != self._where:
                raise Broken(f"sequence {event.seq} is of {event.envelope.subject}, not {self._where}")
            position = link(event, position)
        return (*events, *fresh), position


def recorded(stored: Stored) -> Recorded:
    """Return the event in a stored message, or what stands in for one that holds none.

    Raises `Misplaced` when it holds another subject's.
    """
    try:
        envelope = decode(stored.body)
    except Unreadable:
        return Recorded(stored.seq, stand_in(*stored[:3]))
    aggregate, fact = parts_of(envelope.type)
    where = place(envelope.subject, fact)
    if where != stored.subject or not envelope.subject.startswith(aggregate + "/"):
        raise Misplaced(f"sequence {stored.seq}: {stored.subject} holds a {where} of type {envelope.type}")
    return Recorded(stored.seq, envelope)
