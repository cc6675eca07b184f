"""Runs the gateway: its connections, its port, its answer to service discovery."""

import asyncio
from contextlib import AsyncExitStack
from typing import cast

from projections.connection import Pool
from projections.queries import Views
from services.access.sessions import Signer
from services.gateway.app import application
from services.gateway.certificates import certificates
from services.gateway.denials import Denials
from services.gateway.desk import GatewayDesk
from services.gateway.health import Asker
from services.gateway.listening import listen, runner_of
from services.gateway.live.feed import Feed
from services.gateway.live.position import ViewsPosition
from services.gateway.metering.office import metering
from services.gateway.reach.log import ReachedLog
from services.gateway.reach.pool import ReachedPool
from services.gateway.reach.reach import to_nats, to_postgresql
from services.gateway.redelivering import Redelivery
from services.gateway.watching import HealthWatch
from services.gateway.webhooks.intake import intake
from services.runtime.announcing import announced
from services.runtime.ending import end
from services.runtime.ground import Ground, actor
from services.runtime.session_key import session_key

NAME = "gateway"
PURPOSE = "Answers over HTTP: health of every component"
CONNECTIONS = 8


async def run_gateway(ground: Ground) -> None:
    """Serve until cancelled. Raises as `listen` does."""
    async with (
        ground.log(NAME) as (connection, given),
        # No connection at first: the gateway answers while the database is away, and says so.
        ground.pool(0, CONNECTIONS, 2) as pool,
    ):
        reaches = to_nats(connection), to_postgresql(ground)
        book = ReachedLog(
            reaches[0], given.store, given.artefacts, given.clock, given.fork, ground.keyring(connection)
        )
        reached = cast("Pool", ReachedPool(pool, reaches[1]))  # it has what is asked of it, and is no pool
        views = Views(reached)
        feed, position = Feed(book.store), ViewsPosition(pool, Views(pool))
        signer = Signer(session_key(ground.settings))
        asker = Asker(ground, connection, given.store, reached)
        watch = HealthWatch(asker, position.stir)
        letters = Redelivery(connection, book.clock, reaches[0])
        metered, denials = metering(connection, reached), Denials(book)
        webhooks = intake(ground.settings, book)
        desk = GatewayDesk(
            ground, book, views, signer, feed, position, asker, watch, webhooks, metered, letters, denials
        )
        shown = certificates(ground.settings)
        runner = runner_of(application(desk), most=ground.settings.connections_per_address)
        async with AsyncExitStack() as closing:  # each is closed, also when told again to hurry
            closing.push_async_callback(letters.end)
            closing.push_async_callback(denials.flush)  # also what is denied while the last are answered
            await runner.setup()
            closing.push_async_callback(runner.cleanup)
            counting = webhooks.refusals, denials, metered.counting
            following = [
                asyncio.create_task(one.run())
                for one in (*reaches, feed, position, watch, *counting, shown)
                if one is not None
            ]
            for task in following:
                closing.push_async_callback(end, task)
            await listen(runner, ground.settings, shown.context if shown else None)
            await closing.enter_async_context(announced(connection, NAME, PURPOSE, actor(NAME)))
            ended, _ = await asyncio.wait(following, return_when=asyncio.FIRST_COMPLETED)
            ended.pop().result()
