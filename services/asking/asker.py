"""Asks engines in turn until one answers: what was answered before, within budgets, again, or elsewhere.

Rules
1. Each call is a run with its reservation, recorded before it begins: nothing is called off the log.
2. An answer to the same question is taken again without a call, as a run that names the earlier one.
3. The same engine is asked again only after a failure that may pass; the next one only where it may help. It
   is a run that names the one it stands in for. A session belongs to the first engine alone.
4. An engine whose circuit is open, or that cannot do what is asked, is passed over, and the log says so.
5. While the swarm is paused no call begins (`Halted`); a cancelled run ends its call.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import structlog

from schemas.engine import FailureKind
from services.asking.breaker import Circuit
from services.asking.earlier import earlier
from services.asking.inquiry import Inquiry, Try
from services.asking.keeping import without_secrets
from services.asking.ledger import Ledger
from services.asking.limits import Limits
from services.asking.manner import Manner
from services.asking.question import Mask, Mint, question_of
from services.asking.retrying import wait_before_next
from services.asking.runs import Runs
from services.asking.slots import Slots
from services.asking.words import Ask, Asked, Choice, NotAnswered
from services.engines.port import Ability, AnswerT, Failed, Progress, Task, Tell
from services.runtime.log import Log

log = structlog.get_logger()


def _untold(_: Progress) -> None:
    """Leave it to the transcript."""


def _by_chance() -> str:
    return uuid4().hex


ORDINARY = Manner()


class Asker:
    """Asks engines for one process; `mask` takes secrets out of whatever is sent, told or kept."""

    def __init__(
        self,
        book: Log,
        limits: Limits,
        mask: Mask,
        manner: Manner = ORDINARY,
        *,
        ledger: Ledger | None = None,
        mint: Mint = _by_chance,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`mint` gives hexadecimal characters that no other run has, `chance` a number in 0…1."""
        self._book = book
        self._mask = mask
        self._manner = manner
        self._ledger = ledger or Ledger(book, limits, chance=chance)
        self._runs = Runs(book, self._ledger, mask, mint, manner)
        self._slots = Slots(manner.parallel)
        self._circuits: dict[str, Circuit] = {}
        self._mint = mint
        self._chance = chance

    async def ask(self, ask: Ask[AnswerT], tell: Tell = _untold) -> Asked[AnswerT]:
        """Return an answer. Raises `NotAnswered`, `Halted`, or what `Log.keep` raises for want of a secret.

        Cancelling it ends the call, gives back what was reserved, and records that.
        """

        def tell_masked(progress: Progress) -> None:
            tell(replace(progress, text=self._mask(progress.text)))

        await self._ledger.require_running()
        inquiry = Inquiry(ask, await self._without_secrets(ask.task), tell_masked)
        last = Failed(FailureKind.NOT_CAPABLE, "no engine is chosen")
        for choice in ask.engines:
            outcome = await self._of(inquiry, choice)
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
        one = Try(inquiry, choice, question_of(inquiry.ask, inquiry.task, choice, self._mint))
        number = 1
        if one.question.reusable:
            _, (found, number) = await asyncio.gather(
                self._runs.keep_prompt(one), earlier(self._book, one.question, inquiry.task.answer)
            )
            if found is not None:
                return await self._runs.reuse(one, found)
        while True:
            async with self._slots.taken(inquiry.ask.priority):
                if refused := self._refused(one):
                    await self._runs.pass_over(one, refused.reason)
                    return refused
                outcome = await self._made(one, number)
            if isinstance(outcome, Asked):
                return outcome
            wait = wait_before_next(self._manner.patience, outcome, one.attempt, self._chance())
            if wait is None:
                return outcome
            log.warning("engine asked again", engine=choice.engine.name, reason=outcome.reason, wait=wait)
            await asyncio.sleep(wait)
            one, number = replace(one, attempt=one.attempt + 1), number + 1

    async def _made(self, one: Try[AnswerT], number: int) -> Asked[AnswerT] | Failed:
        name = one.choice.engine.name
        self._circuits[name] = self._circuit(name).begun()
        try:
            outcome = await self._runs.make(one, number)
        except BaseException:
            self._circuits[name] = self._circuit(name).abandoned()
            raise
        kind = outcome.kind if isinstance(outcome, Failed) else None
        circuit, now = self._circuit(name), self._book.clock()
        told = kind is None or kind.elsewhere  # a spent budget and a cancelled call say nothing of the engine
        self._circuits[name] = circuit.ended(kind, now, self._manner.fuse) if told else circuit.abandoned()
        return outcome

    def _refused(self, one: Try[Any]) -> Failed | None:
        """Return why an engine is not even called."""
        engine, task = one.choice.engine, one.task
        wanted = {Ability.EDITS} if task.may_write else set()
        wanted |= {Ability.SESSIONS} if task.session else set()
        if lacking := ", ".join(sorted(wanted - engine.abilities)):
            return Failed(FailureKind.NOT_CAPABLE, f"{engine.name} does not offer {lacking}")
        circuit = self._circuit(engine.name)
        if circuit.admits(self._book.clock()) or circuit.last is None or circuit.until is None:
            return None
        times = f"{circuit.failures} failures in a row, the last: {circuit.last.value}"
        until = f"{circuit.until:%H:%M:%S} UTC"
        return Failed(circuit.last, f"{engine.name} is not called before {until}, after {times}")

    def _circuit(self, engine: str) -> Circuit:
        return self._circuits.get(engine, Circuit())
