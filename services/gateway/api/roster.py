"""Who registered as an agent from outside, what each holds, when it was heard of last: now or at a moment.

Rules
1. Heard of is what it did itself, by its token: as an agent, and with the work that it took last.
2. What it holds is what its claims say at that moment, and not what it said when it took work.
"""

import asyncio
from datetime import datetime

from events.agent import AGENT, Progressed, Registered
from events.improvement import IMPROVEMENT
from events.store import Recorded
from schemas.base import Frozen
from services.dossier.improvement import state_at
from services.runtime.log import Log
from services.steering.outside import is_held


class AgentState(Frozen):
    """An agent, what it holds, how far it says that it is, and when it was heard of last."""

    id: str
    title: str
    role: str
    capabilities: tuple[str, ...]
    capacity: int
    present: bool
    holding: tuple[str, ...]
    progress: Progressed | None
    last_heard: datetime


async def agents(book: Log, seq: int | None, time: datetime) -> tuple[AgentState, ...]:
    """Return every agent that ever registered, those first who are there.

    `seq` None is now, and `time` its time.
    """
    ids = await book.store.ids(AGENT.name, Registered.name)
    found = await asyncio.gather(*(agent(book, id, seq, time) for id in ids))
    return tuple(sorted((one for one in found if one), key=lambda one: (not one.present, one.id)))


async def agent(book: Log, id: str, seq: int | None, time: datetime) -> AgentState | None:
    """Return one agent, None where it had not registered."""
    state = await state_at(book, AGENT, id, seq)
    registered = state.registered
    if registered is None:
        return None
    heard = [one.envelope.at for one in await _events(book, AGENT.name, id, seq)]
    holding = []
    for one in state.holding:
        if is_held(await state_at(book, IMPROVEMENT, one, seq), id, time):
            holding.append(one)
        heard += [
            event.envelope.at
            for event in await _events(book, IMPROVEMENT.name, one, seq)
            if event.envelope.actor.rpartition("/")[2] == id
        ]
    return AgentState(
        id=id,
        title=registered.title,
        role=registered.role,
        capabilities=registered.capabilities,
        capacity=registered.capacity,
        present=state.present,
        holding=tuple(holding),
        progress=state.progress,
        last_heard=max(heard),
    )


async def _events(book: Log, aggregate: str, id: str, seq: int | None) -> tuple[Recorded, ...]:
    store = book.store
    return (await (store.read(aggregate, id) if seq is None else store.as_of(aggregate, id, seq)))[0]
