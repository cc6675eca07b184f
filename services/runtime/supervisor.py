"""Keeps services running in one process: restarts what died, with back-off and a limit."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
CALM_SECONDS = 60.0


class GaveUp(Exception):  # noqa: N818 -- what happened
    """A service died too often; the last failure is the cause."""


@dataclass(frozen=True)
class Service:
    """Something that runs until cancelled."""

    name: str
    run: Callable[[], Awaitable[None]]


async def supervise(services: list[Service]) -> None:
    """Run all services until cancelled. Raises `GaveUp` when one died more often than the back-off allows."""
    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(_keep_running(service), name=service.name)


async def _keep_running(service: Service) -> None:
    loop = asyncio.get_running_loop()
    deaths = 0
    while True:
        started = loop.time()
        try:
            await service.run()
            log.info("service ended", service=service.name)
            return
        except Exception as failure:
            deaths = 1 if loop.time() - started > CALM_SECONDS else deaths + 1
            log.exception("service died", service=service.name, deaths=deaths)
            if deaths > len(BACK_OFF_SECONDS):
                raise GaveUp(f"{service.name} died {deaths} times: {failure}") from failure
            await asyncio.sleep(BACK_OFF_SECONDS[deaths - 1])
