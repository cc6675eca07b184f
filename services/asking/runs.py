"""Makes runs: one call of an engine each, with its budget before it and its record after it."""

import asyncio
import random
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import structlog

from events.run import RUN, Cancelled, Reused
from schemas.artefacts import ArtefactRef
from schemas.engine import FailureKind, Spent
from services.asking.calling import called
from services.asking.door import Door
from services.asking.earlier import Found
from services.asking.inquiry import Inquiry, Try
from services.asking.keeping import Shelf
from services.asking.ledger import Begun, Ending, Ledger, NoPlace, Taken
from services.asking.manner import Manner
from services.asking.outcome import completed, ended
from services.asking.persisting import until_taken
from services.asking.question import Mask
from services.asking.suspecting import suspected
from services.asking.telling import WAITING, Announce, telling
from services.asking.words import Asked, NotTaken
from services.engines.port import NOTHING_SPENT, Answered, AnswerT, Failed
from services.runtime.log import Log

log = structlog.get_logger()


class Runs:
    """Makes runs for one process."""

    def __init__(self, book: Log, ledger: Ledger, mask: Mask, manner: Manner, announce: Announce) -> None:
        self._book = book
        self._ledger = ledger
        self._mask = mask
        self._manner = manner
        self._announce = announce
        self._doors: dict[str, Door] = {}

    async def make(self, one: Try[AnswerT], number: int) -> Asked[AnswerT] | Failed:
        """Call the engine in a run with this number, or the next that is free.

        Raises `LeftAlone`, `NoBudget`.
        """
        await self.keep_prompt(one)
        await one.inquiry.restore()
        begun = await self._begun(one, number)
        one.inquiry.runs.append(begun.run)
        one.inquiry.written = one.task.may_write
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            outcome = await self._called(one, begun.run)
        except BaseException:
            why = Cancelled(reason="whoever asked was stopped", duration_ms=_since(began, clock()))
            await asyncio.shield(self._given_back(begun, why, None))
            raise
        try:
            return await asyncio.shield(self._recorded(one, begun, outcome, _since(began, clock())))
        except Exception as lost:
            why = Cancelled(reason=f"what came back could not be kept: {type(lost).__name__}")
            await self._given_back(begun, why, outcome.spent)
            raise

    async def keep_prompt(self, one: Try[Any]) -> None:
        """Keep what is asked, once for all runs of an inquiry."""
        if one.inquiry.prompt is None:
            one.inquiry.prompt = await self._shelf(one.inquiry, one.question.run(1)).prompt(
                one.question.runs, one.task
            )

    async def pass_over(self, one: Try[Any], reason: str) -> None:
        """Record that an engine was not called."""
        await self.keep_prompt(one)
        await self._at_once(one, Cancelled(reason=reason))

    async def reuse(self, one: Try[AnswerT], found: Found[AnswerT]) -> Asked[AnswerT]:
        """Take an earlier run's answer."""
        await self.keep_prompt(one)
        run = await self._at_once(one, Reused(run=found.run))
        end = found.completed
        return Asked(
            value=found.value,
            run=run,
            engine=one.choice.engine.name,
            model=end.model or one.choice.model,
            session=end.session,
            spent=NOTHING_SPENT,
            runs=tuple(one.inquiry.runs),
            reused_from=found.run,
        )

    async def _at_once(self, one: Try[Any], end: Cancelled | Reused) -> str:
        run = f"{one.question.runs}-{uuid4().hex[:12]}"
        await self._ledger.at_once(run, one.requested(), end, one.inquiry.ask.cause)
        one.inquiry.runs.append(run)
        return run

    async def _begun(self, one: Try[Any], number: int) -> Begun:
        """Wait for a place: in this process the most important goes first."""
        seconds = self._manner.watch.longest(one.task)
        ask = one.inquiry.ask
        door = self._doors.setdefault(one.choice.engine.name, Door())
        told = False
        async with door.passed(ask.priority):
            while True:
                run = one.question.run(number)
                try:
                    return await self._ledger.begin(run, one.requested(), one.micros, seconds, ask.cause)
                except Taken:  # the same is asked elsewhere at this moment
                    number += 1
                except NoPlace as full:
                    if not told:
                        log.info("waiting for a place", engine=one.choice.engine.name, why=str(full))
                        await self._announce(one.progress(run, WAITING, str(full)))
                    told = True
                    await asyncio.sleep(self._manner.pause * random.uniform(0.5, 1.0))  # noqa: S311 -- a pause, not a secret

    async def _called(self, one: Try[AnswerT], run: str) -> Answered[AnswerT] | Failed:
        async def stopped() -> str:
            end = (await self._book.state(RUN, run)).ended
            return "" if end is None else getattr(end, "reason", end.name)

        task = replace(one.task, model=one.choice.model or one.task.model)
        try:
            async with telling(partial(one.progress, run), self._mask, self._announce) as tell:
                return await called(one.choice.engine, task, tell, stopped, self._manner.watch)
        except Exception as broken:  # the port's boundary: an adapter that raises has failed
            log.exception("the engine broke its port", engine=one.choice.engine.name, run=run)
            return Failed(FailureKind.GARBLED, f"the engine broke: {type(broken).__name__}: {broken}")

    async def _recorded(
        self, one: Try[AnswerT], begun: Begun, outcome: Answered[AnswerT] | Failed, took_ms: int
    ) -> Asked[AnswerT] | Failed:
        shelf = self._shelf(one.inquiry)
        suspicions = await self._suspected(outcome)
        outcome, left = await _with_left(one, outcome)
        transcript = shelf.transcript(begun.run, outcome.transcript)
        if isinstance(outcome, Failed):
            end = ended(outcome, await transcript, took_ms, self._mask, suspicions)
            stopped = outcome.kind is FailureKind.CANCELLED
            await self._ended(begun, end, None if stopped else outcome.spent)
            return replace(outcome, reason=end.reason)
        kept = (shelf.answer(begun.run, outcome.value), transcript, _patch(shelf, begun.run, left))
        done = completed(outcome, *await asyncio.gather(*kept), took_ms, suspicions)
        if not await self._ended(begun, done, outcome.spent):
            return await self._too_late(begun.run, outcome)
        return Asked(
            value=outcome.value,
            run=begun.run,
            engine=one.choice.engine.name,
            model=outcome.spent.model or one.choice.model,
            session=outcome.session,
            spent=outcome.spent,
            runs=tuple(one.inquiry.runs),
        )

    async def _suspected(self, outcome: Answered[Any] | Failed) -> tuple[str, ...]:
        if not outcome.read:
            return outcome.suspicions
        return await asyncio.to_thread(suspected, outcome, self._mask)

    async def _ended(self, begun: Begun, ending: Ending, spent: Spent | None) -> bool:
        return await until_taken(lambda: self._ledger.end(begun, ending, spent), self._manner.persistence)

    async def _given_back(self, begun: Begun, why: Cancelled, spent: Spent | None) -> None:
        try:
            await self._ledger.end(begun, why, spent)
        except Exception as problem:  # noqa: BLE001 -- the lease runs out by itself; what stopped us matters more
            log.warning("the budget is not given back before its lease", run=begun.run, problem=str(problem))

    async def _too_late(self, run: str, outcome: Answered[Any]) -> Failed:
        """Return what an answer counts for when its run was ended by somebody else meanwhile."""
        end = (await self._book.state(RUN, run)).ended
        kind = FailureKind.CANCELLED if isinstance(end, Cancelled) else FailureKind.KILLED
        return Failed(kind, getattr(end, "reason", "its run is over"), outcome.spent, outcome.session)

    def _shelf(self, inquiry: Inquiry[Any], run: str = "") -> Shelf:
        improvement = inquiry.ask.improvement
        kept = inquiry.prompt.sealed_for if inquiry.prompt else None
        subject = kept or (f"improvement/{improvement}" if improvement else f"run/{run}")
        return Shelf(self._book, self._mask, subject, self._manner.persistence)


async def _patch(shelf: Shelf, run: str, left: bytes | None) -> ArtefactRef | None:
    return await shelf.patch(run, left) if left is not None else None


async def _with_left(
    one: Try[Any], outcome: Answered[AnswerT] | Failed
) -> tuple[Answered[AnswerT] | Failed, bytes | None]:
    """Return an outcome with what was written for it; a failure where that is not let in."""
    if isinstance(outcome, Failed) or one.inquiry.ask.left is None:
        return outcome, None
    try:
        return outcome, await one.inquiry.ask.left()
    except NotTaken as what:
        return _not_taken(outcome, str(what)), None


def _not_taken(outcome: Answered[Any], what: str) -> Failed:
    return Failed(
        FailureKind.TOOL_DENIED,
        what,
        outcome.spent,
        outcome.session,
        outcome.transcript,
        outcome.version,
        read=outcome.read,
        suspicions=outcome.suspicions,
    )


def _since(began: float, now: float) -> int:
    return round((now - began) * 1000)
