"""A command that follows work while everything is paused says so: a cycle, and what a person decided."""

import asyncio
from pathlib import Path

import pytest

from events.swarm import ALL, SWARM, Paused
from schemas.risk import RiskClass
from services.cli.cycle.watching import Following
from services.cli.cycle.watching import follow as follow_cycle
from services.cli.decisions.following import follow
from services.cli.desk import at_log
from services.cli.session import Stop
from services.cycle.requesting import Asked, Place
from services.runtime.settings import Settings, load
from services.runtime.workbench import Workbench
from services.sandbox.port import Limits
from services.sandbox.unsandboxed import Unsandboxed
from services.workspace.checkout import Workspace
from services.workspace.target import TargetInspection
from tests import cycle_example as example
from tests.cycle_example import SCAN, Recorder, T
from tests.log_server import PASSWORDS, LogServer

PAUSED = "everything is paused (the bill looks wrong); go on with: aps resume"

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quiet")]


@pytest.fixture
def settings(server: LogServer, database: str, open_home: Path) -> Settings:
    environment = {"NATS_URL": server.url, "DATABASE_URL": database, "APS_HOME": str(open_home / "paused")}
    return load({**environment, **PASSWORDS})


async def nothing() -> None:
    """End at once, as services do that stopped."""


async def test_a_cycle_under_way_says_that_everything_is_paused(
    settings: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder()
    await example.scanned(recorder)
    await recorder.record(SWARM, ALL, Paused(reason="the bill looks wrong"))
    bench = Workbench(
        book=recorder.book,
        actor="cli@test",
        lease_seconds=5,
        workspace=Workspace(tmp_path),
        sandbox=Unsandboxed(),
        limits=Limits(wall_seconds=5),
        autonomy=RiskClass.LOW,
        settings=settings,
    )
    inspection = TargetInspection(tmp_path, "b" * 40, "main", dirty=False, notes=())
    place = Place(T, tmp_path, str(tmp_path), "shop", str(tmp_path), inspection)
    asked = Asked(place, SCAN, followed=False)
    async with at_log(settings) as desk:
        running = asyncio.create_task(nothing())
        with pytest.raises(Stop, match="the services stopped"):
            await follow_cycle(Following(bench, asked, running, desk.connection))
    assert capfd.readouterr().err.count(PAUSED) == 1


async def test_a_decision_that_is_followed_says_that_everything_is_paused(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    answers = iter((False, False, True))

    async def done() -> bool:
        return next(answers)

    async with at_log(settings) as desk:
        paused = Paused(reason="the bill looks wrong")
        await desk.book.record(SWARM, ALL, paused, cause=Recorder().cause)
        await follow(desk, (), (), done, 0)
    assert capfd.readouterr().err.count(PAUSED) == 1
