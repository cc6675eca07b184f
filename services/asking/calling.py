"""One call of an engine: within its time, and ended when somebody cancels its run."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from events.store import Unavailable
from schemas.engine import FailureKind
from services.engines.port import Answered, AnswerT, Engine, Failed, Task, Tell
from services.runtime.tracing import span

log = structlog.get_logger()


@dataclass(frozen=True)
class Watch:
    """How a call is looked after, in seconds.

    `look` is how often somebody's word to stop it is looked for, `overtime` how much longer than its bounds
    an engine may take to say so itself, `ending` how long it may take to end once it is stopped.
    """

    look: float = 0.5
    overtime: float = 5.0
    ending: float = 15.0

    def longest(self, task: Task[Any]) -> float:
        """Return the longest that a call may last, its end included."""
        return task.bounds.seconds + self.overtime + self.ending


Stopped = Callable[[], Awaitable[str]]


async def called(
    engine: Engine, task: Task[AnswerT], tell: Tell, stopped: Stopped, watch: Watch
) -> Answered[AnswerT] | Failed:
    """Ask `engine` once. `stopped` returns why the call is to end, empty as long as it is not."""
    about = {"aps.engine": engine.name, "aps.task": task.name}
    with span(f"ask {engine.name}: {task.name}", about=about):
        return await _called(engine, task, tell, stopped, watch)


async def _called(
    engine: Engine, task: Task[AnswerT], tell: Tell, stopped: Stopped, watch: Watch
) -> Answered[AnswerT] | Failed:
    clock = asyncio.get_running_loop().time
    deadline = clock() + task.bounds.seconds + watch.overtime
    work = asyncio.create_task(engine.ask(task, tell))
    try:
        while (left := deadline - clock()) > 0:
            await asyncio.wait({work}, timeout=min(watch.look, left))
            if work.done():
                return work.result()
            if why := await _looked(stopped):
                return Failed(FailureKind.CANCELLED, why)
        return Failed(FailureKind.TIMED_OUT, f"no answer within {task.bounds.seconds:g} s")
    finally:
        await _ended(work, engine.name, watch.ending)


async def _looked(stopped: Stopped) -> str:
    try:
        return await stopped()
    except Unavailable as away:
        log.warning("cannot see whether the call is cancelled", problem=str(away))
        return ""


async def _ended(work: "asyncio.Task[Any]", engine: str, seconds: float) -> None:
    if work.done():
        return
    work.cancel()
    await asyncio.wait({work}, timeout=seconds)
    if not work.done():
        log.error("the engine goes on though it was cancelled", engine=engine)
    elif not work.cancelled() and (failure := work.exception()):
        log.error("the engine failed while it was ended", engine=engine, exc_info=failure)
