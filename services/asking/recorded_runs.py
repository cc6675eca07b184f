"""Reads from the log what engines were asked and how they answered, so that the same can be answered again.

Rules
1. A question is the same when its task, the file of its prompt, and its text are; what varies from one time
   to the next in that text (see `unvarying`) does not count.
2. Answers and failures of engines are given in the order of the log. A call that somebody stopped had none.
3. An answer that was taken from an earlier run is that run's.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from events.run import RUN, Cancelled, Completed, Metered, Requested, Reused
from events.run import Failed as RunFailed
from schemas.artefacts import ArtefactRef
from schemas.engine import Billing, Spent
from services.asking.consulting import Consultant
from services.asking.manner import Manner
from services.asking.retrying import Patience
from services.asking.stops import unvarying
from services.asking.team import Consulting, Team, consultant_with
from services.engines.choosing import Wanted
from services.engines.port import Failed, Task
from services.engines.recorded import (
    Patching,
    Question,
    RecordedAnswer,
    RecordedEngine,
    difference,
)
from services.runtime.log import Log
from services.runtime.workbench import Workbench

AT_ONCE = Manner(patience=Patience(first=0.0))


@dataclass(frozen=True)
class PastRun:
    """A call of an engine as the log has it; what no engine was asked in words has no prompt."""

    id: str
    requested: Requested
    ended: Completed | RunFailed | Cancelled | Reused | None

    @property
    def in_words(self) -> bool:
        """Whether an engine was asked in words."""
        return self.requested.prompt is not None


class NotKept(Exception):  # noqa: N818 -- what was found
    """The store lacks what a run is to be answered with."""

    def __init__(self, run: str, name: str) -> None:
        super().__init__(f"the store does not hold {name} of the run {run}")


class LogRecording:
    """What runs were asked and answered. `taken` counts the answers given, `missed` says what had none."""

    def __init__(self, held: Iterable[tuple[Question, RecordedAnswer | Failed]]) -> None:
        self._held: dict[Question, deque[RecordedAnswer | Failed]] = {}
        for question, answer in held:
            self._held.setdefault(question, deque()).append(answer)
        self.taken = 0
        self.missed: list[str] = []

    def question(self, task: Task[Any]) -> Question:
        """Return what makes a task the same question as another."""
        return Question(task.name, task.prompt_version, _text(task.system, task.prompt))

    async def take(self, question: Question) -> RecordedAnswer | Failed | None:
        """Return the next answer to this very question that was not taken yet, or None."""
        left = self._held.get(question)
        if not left:
            self.missed.append(difference(question, tuple(self._held)))
            return None
        self.taken += 1
        return left.popleft()

    async def questions(self) -> Sequence[Question]:
        """Return all questions."""
        return tuple(self._held)

    @property
    def left(self) -> int:
        """How many answers nobody asked for."""
        return sum(map(len, self._held.values()))


async def recording_of(
    book: Log, runs: Iterable[PastRun], patches: Mapping[str, ArtefactRef]
) -> LogRecording:
    """Read the recording of runs; `patches` are the changes that were made of what a run wrote, by run.

    Raises `NotKept`, and what `Log.fetch` raises where a key is gone.
    """
    held = [one for run in runs if run.in_words for one in await _held(book, run, patches.get(run.id))]
    return LogRecording(held)


async def _held(
    book: Log, run: PastRun, change: ArtefactRef | None
) -> list[tuple[Question, RecordedAnswer | Failed]]:
    ended = (await book.state(RUN, run.ended.run)).ended if isinstance(run.ended, Reused) else run.ended
    asked = run.requested.prompt
    assert asked is not None  # noqa: S101 -- only what was asked in words is read
    match ended:
        case Completed(answer=answer) if answer is not None:
            said: RecordedAnswer | Failed = await _answer(book, run.id, ended, answer, ended.patch or change)
        case RunFailed(kind=kind) if kind is not None:
            transcript = await _content(book, run.id, ended.transcript)
            said = Failed(
                kind,
                ended.reason,
                _spent(ended),
                ended.session,
                transcript or b"",
                ended.engine_version,
                suspicions=ended.suspicions,
            )
        case _:
            return []
    prompt = orjson.loads(await _content(book, run.id, asked) or b"{}")
    text = _text(str(prompt.get("system", "")), str(prompt.get("prompt", "")))
    return [(Question(run.requested.task, run.requested.prompt_version, text), said)]


async def _answer(
    book: Log, run: str, ended: Completed, answer: ArtefactRef, patch: ArtefactRef | None
) -> RecordedAnswer:
    return RecordedAnswer(
        answer=await _content(book, run, answer) or b"",
        patch=await _content(book, run, patch),
        spent=_spent(ended),
        session=ended.session,
        transcript=await _content(book, run, ended.transcript) or b"",
        version=ended.engine_version,
        suspicions=ended.suspicions,
    )


async def _content(book: Log, run: str, ref: ArtefactRef | None) -> bytes | None:
    if ref is None:
        return None
    try:
        return await book.fetch(ref)
    except KeyError:
        raise NotKept(run, ref.name) from None


def _text(system: str, prompt: str) -> str:
    return hashlib.sha256(orjson.dumps([unvarying(system), unvarying(prompt)])).hexdigest()


def _spent(ended: Metered) -> Spent:
    return Spent(
        tokens_in=ended.tokens_in,
        tokens_out=ended.tokens_out,
        tokens_cached=ended.tokens_cached,
        cost_micros=ended.cost_micros,
        billing=ended.billing,
        turns=ended.turns,
        duration_ms=ended.duration_ms,
        model=ended.model,
    )


def recorded_team(recording: LogRecording, runs: Sequence[PastRun], patch: Patching) -> Team:
    """Return the engines of a recording under their own names, each asked for what it was asked for then."""
    asked = [run.requested for run in runs if run.in_words]
    names = tuple(dict.fromkeys(one.engine for one in asked))
    wanted = dict.fromkeys(Wanted(f"{one.role}.{one.task}", one.engine, one.model) for one in asked)
    free = {
        run.requested.engine
        for run in runs
        if isinstance(run.ended, Completed) and run.ended.billing is not Billing.PRICE
    }
    return Team(
        engines={name: RecordedEngine(recording, patch, name) for name in names},
        policy=(*wanted, *(Wanted("", name, "") for name in names)),
        unpriced=frozenset(free),
    )


def consulting(team: Team) -> Consulting:
    """Return a role's way to the engines of a recording; none where no engine was asked in words."""

    def consult(bench: Workbench, role: str) -> Consultant | None:
        return consultant_with(bench, role, team, AT_ONCE) if team.engines else None

    return consult
