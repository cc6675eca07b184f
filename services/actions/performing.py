"""Performs an action: by an engine where one is set up, else, and where its answer fails the rule, by rules.

Who made the result, and why it was not an engine, stands beside it: a fall to the floor is never silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import structlog

from events.envelope import Cause
from services.actions.action import Action, InT, OutT
from services.asking.consulting import Consultant, Errand, NotAnswered

log = structlog.get_logger()

RULES = "rules"
NO_ENGINE = (
    "no AI engine is set up; for one set CLAUDE_CODE_API_KEY (or CLAUDE_CODE_TOKEN), or OPENAI_COMPATIBLE_URL"
)
SHOWN = 3


@dataclass(frozen=True)
class Made(Generic[OutT]):
    """A result. `by` is the engine that gave it, or `RULES`, and then `why` says why no engine did.

    `run` is the engine call whose answer it is, or whose answer was not taken; empty where none was made.
    """

    value: OutT
    by: str
    why: str = ""
    run: str = ""


async def perform(
    action: Action[InT, OutT],
    given: InT,
    consultant: Consultant | None,
    cause: Cause,
    *,
    improvement: str = "",
    only: str = "",
) -> Made[OutT]:
    """Do an action for `improvement`, if for any; `only` names the one engine to ask.

    Raises `Halted` while everything is paused, and what keeping of prompts raises for want of a secret.
    """
    if consultant is None:
        return by_rules(action, given, NO_ENGINE)
    prompt = action.prompt(given)
    errand = Errand(
        action.name,
        action.template,
        prompt.text,
        only=only,
        materials=prompt.materials,
        fits=lambda earlier: not action.check(given, earlier),
    )
    try:
        asked = await consultant.ask(errand, action.answer, improvement, cause)
    except NotAnswered as nobody:
        last = nobody.runs[-1] if nobody.runs else ""
        return by_rules(action, given, f"no engine answered: {nobody}", last)
    if problems := action.check(given, asked.value):
        why = f"the answer of {asked.engine} was not taken: {in_short(problems)}"
        return by_rules(action, given, why, asked.run)
    return Made(asked.value, asked.engine, run=asked.run)


def by_rules(action: Action[InT, OutT], given: InT, why: str, run: str = "") -> Made[OutT]:
    """Do an action without any engine, because of `why`."""
    log.info("action done by rules", action=action.name, why=why, run=run)
    return Made(action.floor(given), RULES, why, run)


def in_short(problems: Sequence[str]) -> str:
    """Return the first of what is wrong, and how much more there is."""
    more = len(problems) - SHOWN
    return "; ".join(problems[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
