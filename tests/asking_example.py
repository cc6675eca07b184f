"""A log in memory with keys, and questions to ask of scripted engines, for tests of whatever asks."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from events.catalogue import read_fact
from events.envelope import Cause
from events.fact import Fact
from events.memory import InMemoryArtefacts, InMemoryEventStore
from events.store import Batch, Position, Unavailable
from schemas.base import Frozen
from schemas.engine import Billing, FailureKind, Spent
from services.asking.asker import Asker
from services.asking.calling import Watch
from services.asking.limits import Limit, Limits
from services.asking.manner import Manner
from services.asking.persisting import Persistence
from services.asking.retrying import Patience
from services.asking.words import Ask, Choice
from services.engines.port import Bounds, Engine, Failed, Task
from services.engines.scripted import Answering
from services.runtime.log import Log
from services.vault.keyring import Keyring
from services.vault.memory import InMemoryKeyStore
from services.vault.sealing import root_of
from tests.projection_facts import START

BECAUSE = Cause(actor="pm-1", source="aps/test", correlation="00000000-0000-0000-0000-000000000001")
PRICE = 1_000
COST = Spent(tokens_in=90, tokens_out=10, cost_micros=PRICE, billing=Billing.PRICE, turns=1, model="m-1")
PLENTY = Limits(*(Limit(1_000_000, 100),) * 3)
AT_ONCE = Manner(
    pause=0.0,
    patience=Patience(first=0.0),
    watch=Watch(look=0.01, overtime=0.0, ending=1.0),
    persistence=Persistence(seconds=5.0, pause=0.0),
)


class Plan(Frozen):
    """What is asked for in these tests."""

    text: str


class Time:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class LeavingStore(InMemoryEventStore):
    """A log that can be away, for so many appends, before or after it took them."""

    away = 0
    took_them = False

    async def append_many(self, batches: Sequence[Batch], cause: Cause) -> tuple[Position, ...]:
        if self.away:
            self.away -= 1
            if self.took_them:
                await super().append_many(batches, cause)
            raise Unavailable("it is away")
        return await super().append_many(batches, cause)


async def book_at(time: Time) -> Log:
    """An empty log in memory that can seal."""
    keys, root = InMemoryKeyStore(), root_of("s" * 40)
    await keys.add_first_root(root.id)
    return Log(LeavingStore(time), InMemoryArtefacts(), time, keyring=Keyring(keys, root, None, time))


def unmasked(text: str) -> str:
    return text


def asker(book: Log, limits: Limits = PLENTY, manner: Manner = AT_ONCE, **more: Any) -> Asker:
    return Asker(book, limits, more.pop("mask", unmasked), manner, **more)


def ask(*engines: Engine | Choice, prompt: str = "plan it", **more: Any) -> Ask[Plan]:
    """Ask for a plan; `more` are fields of the question, or of its task."""
    fields = {name: more.pop(name) for name in tuple(more) if name in Ask.__dataclass_fields__}
    task = Task("plan", "be brief", prompt, Plan, bounds=Bounds(seconds=5.0, cost_micros=PRICE), **more)
    choices = [one if isinstance(one, Choice) else Choice(one) for one in engines]
    whole = {"role": "architect", "improvement": "imp-1", "cause": BECAUSE, **fields}
    return Ask(task=task, engines=choices, **whole)


def answering(text: str = "first this, then that", spent: Spent = COST) -> Answering:
    return Answering(Plan(text=text), spent=spent)


def failing(kind: FailureKind, reason: str = "it failed", **more: Any) -> Failed:
    return Failed(kind, reason, **more)


async def told(book: Log, aggregate: str) -> dict[str, list[Fact]]:
    """The facts of every aggregate of a kind, by id, in the order of the log."""
    found: dict[str, list[Fact]] = {}
    async for event in book.store.read_all():
        if event.envelope.address.aggregate == aggregate:
            found.setdefault(event.envelope.address.id, []).append(read_fact(event.envelope))
    return found


def names(facts: Sequence[Fact]) -> list[str]:
    return [fact.name for fact in facts]
