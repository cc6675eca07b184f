"""Keeps services running in one process: restarts what died, with back-off and a limit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from events.store import Broken, Denied, Unavailable
from services.runtime.ending import CLOSING_SECONDS, end_all

log = structlog.get_logger()

BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
CALM_SECONDS = 60.0
TOLD = (Broken, Denied, Unavailable)  # their message says it all: a trace would bury it


class GaveUp(Exception):  # noqa: N818 -- what happened
    """A service died too often; the last failure is the cause."""


@dataclass(frozen=True)
class Service:
    """Something that runs until cancelled."""

    name: str
    run: Callable[[], Awaitable[None]]


async def supervise(
    services: list[Service],
    back_off: Sequence[float] = BACK_OFF_SECONDS,
    closing: float = CLOSING_SECONDS,
) -> None:
    """Run all services until cancelled. Raises `GaveUp` when one died more often than the back-off allows.

    `back_off` says how many seconds are waited after the first death, the second, and so on. A service that
    has not ended after `closing` seconds is told again: a task group tells it once, and that may be lost.
    """
    running = [
        asyncio.create_task(_keep_running(service, back_off), name=service.name) for service in services
    ]
    try:
        ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
        for task in ended:
            task.result()
    finally:
        await end_all(running, closing)


async def _keep_running(service: Service, back_off: Sequence[float]) -> None:
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
            problem, trace = str(failure) or type(failure).__name__, not isinstance(failure, TOLD)
            log.exception(
                "service died", service=service.name, deaths=deaths, problem=problem, exc_info=trace
            )
            if deaths > len(back_off):
                raise GaveUp(f"{service.name} died {deaths} times: {failure}") from failure
            await asyncio.sleep(back_off[deaths - 1])
