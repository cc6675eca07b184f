"""Runs one service as a program of its own, by the settings of the environment, until told to stop."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog

from services.runtime.ground import Ground, stand
from services.runtime.logging import configure
from services.runtime.settings import Settings, load
from services.runtime.trace_export import begin

log = structlog.get_logger()

Serve = Callable[[Ground], Coroutine[Any, Any, None]]


def run_program(name: str, serve: Serve) -> None:
    """Serve until SIGTERM or SIGINT; what is under way then is given back."""
    settings = load(os.environ)
    configure(name, settings.home, settings.log_level, secrets=settings.secrets())
    if obstacle := begin(name, os.environ):
        log.warning(obstacle)
    asyncio.run(_until_told(serve, settings))


async def _until_told(serve: Serve, settings: Settings) -> None:
    async with stand(settings) as ground:
        running = asyncio.create_task(serve(ground))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        with suppress(asyncio.CancelledError):
            await running
