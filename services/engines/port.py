"""The port to an engine that answers in words: one task asked, one typed answer or one typed failure.

Rules, for every adapter (`tests/contract/test_engine.py` holds them to it):
1. `ask` never raises for what an engine, its program or its network does: that is a `Failed`.
2. An answer was validated by the task's own model; what does not fit it is a failure, never a guess.
3. Cancelling `ask` ends everything it started. What was written into the work tree stays there.
4. No credential stands in an answer, a reason or a transcript.
5. Without `may_write` nothing in the work tree changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from schemas.base import Frozen
from schemas.engine import FailureKind, Spent

AnswerT = TypeVar("AnswerT", bound=Frozen)
NOTHING_SPENT = Spent()
READ_CHARACTERS = 500_000


class Ability(StrEnum):
    """What an engine can do besides answering: change files of a work tree, go on in a session."""

    EDITS = "edits"
    SESSIONS = "sessions"


@dataclass(frozen=True)
class Bounds:
    """Where one call ends at the latest. `cost_micros` are millionths of a US dollar."""

    seconds: float = 600.0
    turns: int = 40
    cost_micros: int = 2_000_000
    answer_bytes: int = 1_000_000


@dataclass(frozen=True)
class Task(Generic[AnswerT]):
    """What is asked. `answer` is the model of the answer; an empty `model` means the engine's own choice.

    `worktree` is the folder that may be read, with `may_write` also changed; `session` an earlier call's,
    to go on from. `prompt_version` is the hash of the file that the prompt was made from. Text of strangers
    in `prompt` is marked as such by whoever wrote the prompt.
    """

    name: str
    system: str
    prompt: str
    answer: type[AnswerT]
    model: str = ""
    worktree: Path | None = None
    may_write: bool = False
    session: str = ""
    bounds: Bounds = Bounds()
    prompt_version: str = ""


@dataclass(frozen=True)
class Progress:
    """A sign of life: `kind` is text, tool, turn or retry; `text` one bounded line."""

    kind: str
    text: str


@dataclass(frozen=True)
class Read:
    """What an engine was given to read by a tool; `where` names the tool and what it was used on."""

    where: str
    text: str


class Reading:
    """Collects what was read: each text once, and no more of all than `most` characters."""

    def __init__(self, most: int = READ_CHARACTERS) -> None:
        self._left = most
        self._texts: dict[str, str] = {}

    def add(self, where: str, text: str) -> None:
        """Take a text; what is beyond the bound is left out."""
        kept = text[: self._left]
        if kept and kept not in self._texts:
            self._left -= len(kept)
            self._texts[kept] = where

    def contents(self) -> tuple[Read, ...]:
        """Return all that was taken."""
        return tuple(Read(where, text) for text, where in self._texts.items())


@dataclass(frozen=True)
class Answered(Generic[AnswerT]):
    """A validated answer. `transcript` is what the engine said on the way (JSON lines), bounded.

    `read` is what it read on the way by its tools, where it tells that; `suspicions` were found before.
    """

    value: AnswerT
    spent: Spent
    session: str = ""
    transcript: bytes = b""
    version: str = ""
    read: tuple[Read, ...] = ()
    suspicions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """No usable answer. `reason` is one line; `retry_after` seconds, where the engine said so."""

    kind: FailureKind
    reason: str
    spent: Spent = NOTHING_SPENT
    session: str = ""
    transcript: bytes = b""
    version: str = ""
    retry_after: float | None = None
    read: tuple[Read, ...] = ()
    suspicions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Readiness:
    """Whether an engine can be asked now; else `problem` says why not and `cure` what to do."""

    ready: bool
    version: str = ""
    problem: str = ""
    cure: str = ""


Tell = Callable[[Progress], None]


class Engine(Protocol):
    """Answers tasks."""

    name: str
    abilities: frozenset[Ability]

    async def check(self) -> Readiness:
        """Look whether it could be asked, without asking it anything that costs."""
        ...

    async def ask(self, task: Task[AnswerT], tell: Tell) -> Answered[AnswerT] | Failed:
        """Ask once; `tell` is called as it goes."""
        ...
