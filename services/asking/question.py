"""What makes two questions the same, and the ids of the runs that ask them.

Rules
1. `inputs` is the hash of all that the answer depends on but the engine: the same question to another engine
   has the same. It goes into the run's request.
2. The key of an answer adds engine, model, session and prompt version. The runs that ask for it are numbered
   under ids made from the key, so an earlier answer is found by reading on from the first.
3. What is not to be taken again has ids of its own, by chance.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from events.subjects import slug
from services.asking.words import Ask, Choice
from services.engines.port import Task

Mask = Callable[[str], str]

_KEY = 24  # characters of a hash in an id


@dataclass(frozen=True)
class Question:
    """One question to one engine. `runs` begins the ids of its runs; `reusable` says whether an answer that
    another run got may be taken."""

    inputs: str
    runs: str
    reusable: bool

    def run(self, number: int) -> str:
        """Return the id of the `number`th run, from 1."""
        return f"{self.runs}-{number}"


def inputs_of(task: Task[Any], inputs: str = "") -> str:
    """Return the hash of what is asked, and of what may be read for it (`inputs`)."""
    return _hash(task.name, task.system, task.prompt, task.answer.model_json_schema(), inputs)


def question_of(ask: Ask[Any], task: Task[Any], choice: Choice, unique: str) -> Question:
    """Return the question that `choice` is asked. `unique` are hexadecimal characters that no other has."""
    inputs, reusable = inputs_of(task, ask.inputs), _is_reusable(ask, task)
    key = _hash(choice.engine.name, choice.model, task.session, ask.prompt_version, inputs)
    return Question(inputs, f"{slug(task.name)}-{(key if reusable else unique)[:_KEY]}", reusable)


def _is_reusable(ask: Ask[Any], task: Task[Any]) -> bool:
    if not ask.reuse or (task.may_write and not ask.whole):
        return False
    return task.worktree is None or bool(ask.inputs)


def _hash(*parts: object) -> str:
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
