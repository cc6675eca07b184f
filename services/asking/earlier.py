"""Finds the answer that an earlier run got to the same question."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import structlog
from pydantic import ValidationError

from events.run import RUN, Completed
from services.asking.question import Question
from services.asking.words import whatever
from services.engines.port import AnswerT
from services.runtime.log import Log
from services.vault.keyring import KeyDeleted, KeyMissing
from services.vault.sealing import Unopened

log = structlog.get_logger()


@dataclass(frozen=True)
class Found(Generic[AnswerT]):
    """An earlier answer and the run that got it."""

    value: AnswerT
    run: str
    completed: Completed


async def earlier(
    book: Log, question: Question, answer: type[AnswerT], fits: Callable[[AnswerT], bool] = whatever
) -> tuple[Found[AnswerT] | None, int]:
    """Return the newest earlier answer that fits, None where none does; and the number of the next run."""
    found: Found[AnswerT] | None = None
    number = 1
    while (state := await book.state(RUN, question.run(number))).requested is not None:
        if isinstance(state.ended, Completed):
            found = await _opened(book, question.run(number), state.ended, answer, fits) or found
        number += 1
    return found, number


async def _opened(
    book: Log, run: str, completed: Completed, answer: type[AnswerT], fits: Callable[[AnswerT], bool]
) -> Found[AnswerT] | None:
    """Return what a run answered; None where it cannot be read any more, or does not fit."""
    if completed.answer is None:
        return None
    try:
        value = answer.model_validate_json(await book.fetch(completed.answer))
    except (KeyDeleted, KeyMissing, Unopened, KeyError, ValidationError) as gone:
        log.info("an earlier answer is of no use", run=run, why=type(gone).__name__)
        return None
    return Found(value, run, completed) if fits(value) else None
