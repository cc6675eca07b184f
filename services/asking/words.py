"""The words for asking: what is asked of which engines, what came back, and why nothing did."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from events.envelope import Cause
from schemas.engine import FailureKind, Spent
from services.engines.port import AnswerT, Engine, Task

Left = Callable[[], Awaitable[bytes]]
Restore = Callable[[], Awaitable[None]]


class NotTaken(Exception):  # noqa: N818 -- says what becomes of it
    """What an engine left in its work tree is not let in; the message says what, in one line."""


def whatever(_: object) -> bool:
    """Take any answer."""
    return True


@dataclass(frozen=True)
class Choice:
    """One engine to ask, and the model it is to use (empty: its own choice).

    `priced` is false where each call has no price of its own: no money is reserved for it then.
    """

    engine: Engine
    model: str = ""
    priced: bool = True


@dataclass(frozen=True)
class Ask(Generic[AnswerT]):
    """What a role wants to know. `engines` are tried in order; the later ones only when it may help.

    `prompt_version` is the hash of the prompt's file. `inputs` is a hash of what the answer depends on beside
    the prompt, such as the tree that may be read; without it no answer of a task with a work tree is taken
    again. `whole` says that the answer holds all that a writing task made, so that it may be. An earlier
    answer is taken only where it `fits`. A higher `priority` is called first. `improvement` may be empty.
    `suspicions` are recorded with the run. `left` returns, once a writing task was answered, what stands in
    its work tree, as a patch against the source; raising `NotTaken` makes the answer a failure. `restore`
    brings a work tree back to how it was given.
    """

    role: str
    improvement: str
    task: Task[AnswerT]
    engines: Sequence[Choice]
    cause: Cause
    prompt_version: str = ""
    inputs: str = ""
    priority: int = 0
    reuse: bool = True
    whole: bool = False
    fits: Callable[[AnswerT], bool] = whatever
    suspicions: tuple[str, ...] = ()
    left: Left | None = None
    restore: Restore | None = None


@dataclass(frozen=True)
class Asked(Generic[AnswerT]):
    """An answer. `run` is the call that gave it now; `reused_from` the earlier one it was taken from, if any.

    `runs` are all calls that were made for it, the last is `run`.
    """

    value: AnswerT
    run: str
    engine: str
    model: str
    session: str
    spent: Spent
    runs: tuple[str, ...]
    reused_from: str = ""


class NotAnswered(Exception):  # noqa: N818 -- what happened
    """No engine answered. `kind` is that of the last failure, `runs` are the calls that were made."""

    def __init__(self, kind: FailureKind, reason: str, runs: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.runs = kind, reason, runs


class OutOfBudget(NotAnswered):
    """The budget `budget` refused the next call: nobody was asked. It ends at `until`, None: never."""

    def __init__(self, budget: str, until: datetime | None, reason: str, runs: tuple[str, ...] = ()) -> None:
        super().__init__(FailureKind.BUDGET_EXHAUSTED, reason, runs)
        self.budget, self.until = budget, until
