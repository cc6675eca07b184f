"""Asks engines in turn until one answers: what was answered before, within budgets, again, or elsewhere.

Rules
1. Each call is a run with its place and its reservation, recorded before it begins: nothing is called off the
   log. Where no place is free it waits.
2. An answer to the same question is taken again without a call, as a run that names the earlier one; not one
   that whoever asks would refuse.
3. The same engine is asked again only after a failure that may pass; the next one only where it may help. It
   is a run that names the one it stands in for. A session belongs to the first engine alone. Whoever goes on
   without one begins on the work tree as it was given, not on what the call before left there.
4. An engine whose circuit is open, or that cannot do what is asked, is passed over, and the log says so.
5. While the swarm is paused no call begins (`Halted`); a cancelled run ends its call.
"""

import asyncio
import random
from dataclasses import replace
from typing import Any
from uuid import uuid4

import structlog

from schemas.engine import FailureKind
from services.asking.earlier import earlier
from services.asking.inquiry import Inquiry, Try
from services.asking.keeping import without_secrets
from services.asking.ledger import Ledger, LeftAlone, NoBudget
from services.asking.limits import Limits
from services.asking.manner import Manner
from services.asking.question import Mask, question_of
from services.asking.retrying import wait_before_next
from services.asking.runs import Runs
from services.asking.telling import Announce, unheard
from services.asking.words import Ask, Asked, Choice, NotAnswered, OutOfBudget
from services.engines.port import Ability, AnswerT, Failed, Task
from services.runtime.log import Log

log = structlog.get_logger()
ORDINARY = Manner()


class Asker:
    """Asks engines for one process; `mask` takes secrets out of whatever is sent, told or kept."""

    def __init__(
        self,
        book: Log,
        limits: Limits,
        mask: Mask,
        manner: Manner = ORDINARY,
        announce: Announce = unheard,
    ) -> None:
        """`announce` is told what an engine does while it does it."""
        self._book = book
        self._mask = mask
        self._manner = manner
        self._ledger = Ledger(book, limits, manner)
        self._runs = Runs(book, self._ledger, mask, manner, announce)

    async def ask(self, ask: Ask[AnswerT]) -> Asked[AnswerT]:
        """Return an answer.

        Raises `NotAnswered` (`OutOfBudget` where a budget refused the next call), `Halted`, or what
        `Log.keep` raises for want of a secret.

        Cancelling it ends the call, gives back what was reserved, and records that.
        """
        await self._ledger.require_running()
        inquiry = Inquiry(ask, await self._without_secrets(ask.task))
        last = Failed(FailureKind.NOT_CAPABLE, "no engine is chosen")
        for choice in ask.engines:
            try:
                outcome = await self._of(inquiry, choice)
            except NoBudget as short:
                raise OutOfBudget(short.budget, short.until, str(short), tuple(inquiry.runs)) from short
            if isinstance(outcome, Asked):
                return outcome
            last = outcome
            if not last.kind.elsewhere:
                break
            log.warning("engine gave no answer", engine=choice.engine.name, reason=last.reason)
            inquiry.instead_of = inquiry.runs[-1]
            inquiry.task = replace(inquiry.task, session="")
        raise NotAnswered(last.kind, last.reason, tuple(inquiry.runs))

    async def _without_secrets(self, task: Task[AnswerT]) -> Task[AnswerT]:
        """Return what alone is sent, hashed and kept."""
        system = await without_secrets(task.system, self._mask)
        return replace(task, system=system, prompt=await without_secrets(task.prompt, self._mask))

    async def _of(self, inquiry: Inquiry[AnswerT], choice: Choice) -> Asked[AnswerT] | Failed:
        """Ask one engine, again where that may help."""
        one = Try(inquiry, choice, question_of(inquiry.ask, inquiry.task, choice, uuid4().hex))
        number = 1
        if one.question.reusable:
            _, (found, number) = await asyncio.gather(
                self._runs.keep_prompt(one),
                earlier(self._book, one.question, inquiry.task.answer, inquiry.ask.fits),
            )
            if found is not None:
                return await self._runs.reuse(one, found)
        if lacking := _lacking(one):
            return await self._passed_over(one, lacking)
        while True:
            try:
                outcome = await self._runs.make(one, number)
            except LeftAlone as ailing:
                return await self._passed_over(one, Failed(ailing.failure, str(ailing)))
            if isinstance(outcome, Asked):
                return outcome
            wait = wait_before_next(self._manner.patience, outcome, one.attempt, random.random())  # noqa: S311 -- a pause, not a secret
            if wait is None:
                return outcome
            log.warning("engine asked again", engine=choice.engine.name, reason=outcome.reason, wait=wait)
            await asyncio.sleep(wait)
            one, number = replace(one, attempt=one.attempt + 1), number + 1

    async def _passed_over(self, one: Try[Any], refused: Failed) -> Failed:
        await self._runs.pass_over(one, refused.reason)
        return refused


def _lacking(one: Try[Any]) -> Failed | None:
    """Return why an engine is not even called."""
    engine, task = one.choice.engine, one.task
    wanted = {Ability.EDITS} if task.may_write else set()
    wanted |= {Ability.SESSIONS} if task.session else set()
    if lacking := ", ".join(sorted(wanted - engine.abilities)):
        return Failed(FailureKind.NOT_CAPABLE, f"{engine.name} does not offer {lacking}")
    return None
