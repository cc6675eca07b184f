"""Runs one agent as a service: its connection, its consumer, its answer to service discovery."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from schemas.risk import RiskClass
from services.runtime.announcing import announced
from services.runtime.consumer import Agent, Consumer
from services.runtime.ending import end_all
from services.runtime.ground import Ground, actor
from services.runtime.log import Log
from services.runtime.program import run_program
from services.runtime.replaying import taking_again
from services.runtime.room import RoomySandbox, shortage
from services.runtime.settings import Autonomy, Settings
from services.runtime.workbench import Publish, Workbench, unheard
from services.sandbox.detect import detect
from services.sandbox.port import MIB, Limits, NoSandbox, Sandbox
from services.sandbox.unsandboxed import Unsandboxed
from services.workspace.checkout import Workspace
from services.workspace.git.version import require_git

log = structlog.get_logger()

RISK_OF = {Autonomy.LOW: RiskClass.LOW, Autonomy.MEDIUM: RiskClass.MEDIUM, Autonomy.FULL: RiskClass.HIGH}


@dataclass(frozen=True)
class Role:
    """One kind of service: how its agent is built, and how many events one copy works on at once.

    `meanwhile` is what else a copy does until it is cancelled.
    """

    name: str
    purpose: str
    build: Callable[[Workbench], Agent]
    parallel: int = 1
    meanwhile: Callable[[Workbench], Coroutine[Any, Any, None]] | None = None


async def run_role(role: Role, ground: Ground) -> None:
    """Run one copy of a role until cancelled; what was under way is delivered again to another copy.

    Raises `LogBehindCheckpoint` where the log lost its end.
    """
    async with ground.log(role.name) as (connection, book):
        await ground.require_length(connection)
        bench = await workbench(role.name, ground.settings, book, connection.publish)
        agent = role.build(bench)
        consumer = Consumer(connection, agent, role.parallel, ground.shortage, away=ground.away)
        log.info("running", role=role.name, actor=bench.actor)
        async with (
            announced(connection, role.name, role.purpose, bench.actor),
            taking_again(connection, agent, book),
        ):
            await _until_one_ends(consumer.run(), *([role.meanwhile(bench)] if role.meanwhile else ()))


async def _until_one_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Do all at once until one ends or fails, then end the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_all(tasks)


def main(role: Role) -> None:
    """Run one copy of a role as a program."""
    run_program(role.name, partial(run_role, role))


async def workbench(role: str, settings: Settings, book: Log, publish: Publish = unheard) -> Workbench:
    """Lay out what an agent works with.

    Raises `NoSandbox` where none works and the settings insist, `UnusableGit` where no git will do.
    """
    await require_git()
    return Workbench(
        book=book,
        actor=actor(role),
        lease_seconds=settings.lease_seconds,
        workspace=Workspace(settings.home),
        sandbox=RoomySandbox(await sandbox_of(settings), lambda: shortage([settings.home])),
        limits=Limits(
            wall_seconds=settings.suite_timeout_seconds, memory_bytes=settings.suite_memory_mib * MIB
        ),
        autonomy=RISK_OF[settings.autonomy],
        settings=settings,
        health_command=settings.health_command,
        health_seconds=settings.health_timeout_seconds,
        publish=publish,
    )


async def sandbox_of(settings: Settings) -> Sandbox:
    """Return the best sandbox that works here, or none at all where the settings accept that."""
    try:
        return await detect()
    except NoSandbox:
        if settings.allow_unsandboxed:
            log.warning(
                "no sandbox works here; targets' code runs unprotected, as APS_ALLOW_UNSANDBOXED asks"
            )
            return Unsandboxed()
        raise
