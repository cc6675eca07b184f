"""What an engine does is seen while it does it: the real Claude Code is answered only after it was shown."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.acceptance.command import SECONDS, Ended, start
from tests.acceptance.conftest import Repositories
from tests.acceptance.swarm_script import DEVELOPER, SwarmApi
from tests.acceptance.test_request import PLAN, RIGHT, WISH, draft, wanted
from tests.conftest import run

pytestmark = pytest.mark.slow

SHOWN = "developer asks claude_code (change"


class WaitingApi(SwarmApi):
    """Gives the Developer no further answer before its work was shown."""

    def __init__(self) -> None:
        super().__init__(wanted(), PLAN, [draft(RIGHT)])
        self.shown = asyncio.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if DEVELOPER in await request.text():
            await asyncio.wait_for(self.shown.wait(), SECONDS)
        return await super()._answer(request)


def test_progress_is_shown_before_the_engine_has_ended(
    fresh_home: Callable[[str], Path], target: Repositories
) -> None:
    home, repository = fresh_home("progress"), target(name="-progress")

    async def watched() -> Ended:
        api = WaitingApi()
        async with api.serving():
            process = start(home, "request", str(repository), WISH, "--json", **api.settings)
            assert process.stdout is not None
            assert process.stderr is not None
            out = asyncio.create_task(asyncio.to_thread(process.stdout.read))
            lines = list[str]()
            try:
                async with asyncio.timeout(SECONDS):
                    while line := await asyncio.to_thread(process.stderr.readline):
                        lines.append(line)
                        if SHOWN in line:
                            api.shown.set()
                    code = await asyncio.to_thread(process.wait)
                return Ended(code, await out, "".join(lines))
            finally:
                process.kill()
                process.communicate()  # closes what is read from

    ended = run(watched())
    (one,) = ended.outcome["improvements"]
    assert one["status"] == "deployment_complete", one["reason"]
    assert SHOWN in ended.err
