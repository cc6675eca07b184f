"""The engine `openai_compatible`: answers tasks, and changes files where it may, by chat completions."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from schemas.engine import FailureKind, Spent
from services.engines.line import one_line
from services.engines.openai_compatible import words
from services.engines.openai_compatible.conversation import Conversation
from services.engines.openai_compatible.endpoint import Endpoint
from services.engines.openai_compatible.exchange import models, session
from services.engines.openai_compatible.failing import Unanswered
from services.engines.openai_compatible.pricing import Price
from services.engines.openai_compatible.requests import Feature
from services.engines.port import NOTHING_SPENT, Ability, Answered, AnswerT, Failed, Readiness, Task, Tell

NAME = "openai_compatible"
CHECK_SECONDS = 20.0
PRICED = "give OPENAI_COMPATIBLE_PRICE, such as 2500000/10000000, or 0/0 where nobody bills"
_NO_MODEL = (
    "no model is named: give OPENAI_COMPATIBLE_MODEL, such as llama3.3,"
    " or name it in APS_ENGINES, such as openai_compatible:llama3.3"
)
_CURES = {
    FailureKind.UNAUTHORIZED: "give a key that the server accepts in OPENAI_COMPATIBLE_KEY",
    FailureKind.UNREACHABLE: "start the server, or give its address in OPENAI_COMPATIBLE_URL",
}


def _now() -> datetime:
    return datetime.now(UTC)


class OpenAICompatible:
    """Asks one server. What it does not know is learnt once for each model; tasks may run side by side."""

    def __init__(
        self,
        endpoint: Endpoint,
        name: str = NAME,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.name = name
        self.abilities = frozenset({Ability.EDITS})
        self._endpoint = endpoint
        self._clock = clock
        self._now = now
        self._hidden = endpoint.hidden()
        self._features: dict[str, frozenset[Feature]] = {}

    async def check(self) -> Readiness:
        """Ask the server for its models, which costs nothing."""
        if problem := self._endpoint.problem():
            cure = "give another OPENAI_COMPATIBLE_URL or OPENAI_COMPATIBLE_KEY"
            return Readiness(False, words.version(), problem, cure)
        if self._priced(self._endpoint.model) is None:
            return Readiness(False, words.version(), _no_price(self._endpoint.model), PRICED)
        try:
            async with asyncio.timeout(CHECK_SECONDS), session(self._endpoint) as opened:
                await models(opened, self._endpoint, self._now)
        except Unanswered as why:
            cure = _CURES.get(why.kind, "look at the server")
            return Readiness(False, words.version(), one_line(self._hidden.text(why.reason)), cure)
        except TimeoutError:
            silent = f"no list of models within {CHECK_SECONDS:g} s"
            return Readiness(False, words.version(), silent, "look at the server")
        return Readiness(True, words.version())

    async def ask(self, task: Task[AnswerT], tell: Tell) -> Answered[AnswerT] | Failed:
        """Ask once, in as many turns as the task's bounds allow."""
        model = task.model or self._endpoint.model
        price = self._priced(model)
        if price is None:
            return self._failed(Unanswered(FailureKind.NOT_CAPABLE, f"{_no_price(model)}: {PRICED}"))
        if (problem := self._unaskable(task, model)) is not None:
            return self._failed(problem)
        features = self._features.get(model, frozenset(Feature))
        talk = Conversation(task, self._endpoint, price, features, tell, self._now)
        began = self._clock()
        try:
            async with asyncio.timeout(task.bounds.seconds), session(self._endpoint) as opened:
                value = await talk.hold(opened)
        except Unanswered as why:
            return self._failed(why, self._timed(talk.spent, began), talk)
        except TimeoutError:
            late = Unanswered(FailureKind.TIMED_OUT, f"no answer within {task.bounds.seconds:g} s")
            return self._failed(late, self._timed(talk.spent, began), talk)
        finally:
            self._features[model] = self._features.get(model, features) & talk.features
        spent = self._timed(talk.spent, began)
        return Answered(
            value,
            spent,
            transcript=talk.transcript.contents(),
            version=words.version(),
            read=talk.reading.contents(),
        )

    def _unaskable(self, task: Task[AnswerT], model: str) -> Unanswered | None:
        """Say why a task cannot be asked here at all."""
        if problem := self._endpoint.problem():
            return Unanswered(FailureKind.NOT_CAPABLE, problem)
        if not model:
            return Unanswered(FailureKind.UNKNOWN_MODEL, _NO_MODEL)
        if task.session:
            return Unanswered(FailureKind.NO_SESSION, "this engine keeps no sessions to go on from")
        if task.worktree is not None and not task.worktree.is_dir():
            return Unanswered(FailureKind.NOT_CAPABLE, "the work tree is no folder")
        return None

    def _priced(self, model: str) -> Price | None:
        return self._endpoint.prices.of(model)

    def _timed(self, spent: Spent, began: float) -> Spent:
        return spent.model_copy(update={"duration_ms": int((self._clock() - began) * 1000)})

    def _failed(
        self, why: Unanswered, spent: Spent = NOTHING_SPENT, talk: Conversation[Any] | None = None
    ) -> Failed:
        return Failed(
            why.kind,
            one_line(self._hidden.text(why.reason)),
            spent,
            transcript=talk.transcript.contents() if talk else b"",
            version=words.version(),
            retry_after=why.retry_after,
            read=talk.reading.contents() if talk else (),
        )


def _no_price(model: str) -> str:
    return f"no price is known for {model!r}, so no budget could hold it"
