"""PM for one scan alone: a look goes on with no work that somebody else began.

PM's durable consumer delivers whatever is unfinished. Here the request of the scan is read from the log and
given to PM; when the consumer delivers it to another copy later, it finds the scan done.
"""

import asyncio
from functools import partial

import structlog
from structlog.contextvars import bound_contextvars

from events.catalogue import read_fact
from events.store import Recorded, Unavailable
from events.target import TARGET, ScanRequested
from services.cli.swarm.roles import AGENTS
from services.cli.swarm.running import Make
from services.cycle.requesting import Asked
from services.runtime.away import Away
from services.runtime.claims import Later
from services.runtime.consumer import USUAL, Agent
from services.runtime.ground import Ground
from services.runtime.log import Log
from services.runtime.role import workbench
from services.runtime.room import Look, is_full, until_room
from services.runtime.supervisor import Service

log = structlog.get_logger()

PM = AGENTS["pm"]


def one_scan(asked: Asked) -> Make:
    """Return how a swarm makes PM for what was asked."""
    return lambda name, ground: Service(name, partial(_run, ground, asked))


async def _run(ground: Ground, asked: Asked) -> None:
    with bound_contextvars(service=PM.name):
        async with ground.log(PM.name) as (_, book):
            bench = await workbench(PM.name, ground.settings, book)
            await react(PM.build(bench), await requested(book, asked), ground.shortage, ground.away)
    await asyncio.Event().wait()  # whoever follows the scan ends it


async def requested(book: Log, asked: Asked) -> Recorded:
    """Return the event that asks for the scan."""
    events, _ = await book.store.read(TARGET.name, asked.place.id)
    for event in events:
        fact = read_fact(event.envelope)
        if isinstance(fact, ScanRequested) and fact.scan == asked.scan:
            return event
    raise LookupError(f"{asked.scan} was never asked for")


async def react(agent: Agent, event: Recorded, look: Look, away: Away) -> None:
    """Let an agent react to one event, however often that is put off; what fails is raised."""
    while True:
        await until_room(look)
        try:
            await agent.react(event)
        except Later as later:
            await asyncio.sleep(later.seconds)
        except Unavailable as problem:
            log.warning("the log is away", role=agent.role, problem=str(problem))
            away.failed(problem)
            await asyncio.sleep(USUAL.retry)
        except Exception as failure:
            if not is_full(failure):
                raise
            log.warning("put off: the disk is full", role=agent.role, problem=str(failure))
            await asyncio.sleep(USUAL.room)
        else:
            away.worked()
            return
