"""Runs the gateway as a program of its own: `python -m services.gateway`."""

import asyncio
import os
import signal
from contextlib import suppress

from services.gateway.serving import NAME, run_gateway
from services.runtime.ground import stand
from services.runtime.logging import configure
from services.runtime.settings import Settings, load


def main() -> None:
    """Run one copy by the settings of the environment, until told to stop."""
    settings = load(os.environ)
    configure(NAME, settings.home, settings.log_level, secrets=settings.secrets())
    asyncio.run(_until_told(settings))


async def _until_told(settings: Settings) -> None:
    async with stand(settings) as ground:
        running = asyncio.create_task(run_gateway(ground))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        with suppress(asyncio.CancelledError):
            await running


if __name__ == "__main__":
    main()
