"""Given facts, when a fact is asked for, then a state: how the rules of the aggregates are told in tests."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from events.catalogue import read_fact
from events.envelope import Cause, decode, envelop
from events.fact import AggregateType, Fact, Rejected, Stamp
from events.subjects import Address
from tests.projection_facts import START

BECAUSE = Cause(actor="pm-1", source="aps/test", correlation="00000000-0000-0000-0000-000000000001")


@dataclass(frozen=True)
class Waited:
    """So many seconds go by."""

    seconds: int


@dataclass(frozen=True)
class Story:
    """An aggregate's facts so far, each admitted by its rules, and the time it is."""

    kind: AggregateType[Any]
    state: Any
    now: datetime = START
    told: tuple[tuple[Fact, Stamp], ...] = ()

    def given(self, *steps: Fact | Waited) -> "Story":
        """Tell more; what the rules do not admit fails the test."""
        story = self
        for step in steps:
            if isinstance(step, Waited):
                story = replace(story, now=story.now + timedelta(seconds=step.seconds))
            else:
                story = story._with(step)
        return story

    def when(self, fact: Fact) -> "Asked":
        """Ask for one fact more."""
        return Asked(self, fact)

    def _with(self, fact: Fact) -> "Story":
        self.kind.decide(self.state, fact, self.now)
        stamp = Stamp(len(self.told) + 1, self.now, BECAUSE.actor)
        return replace(
            self, state=self.kind.evolve(self.state, fact, stamp), told=(*self.told, (fact, stamp))
        )

    def replayed(self) -> Any:
        """Return the state folded from the facts as they come back from the log."""
        return self.kind.fold((self._returned(fact, stamp), stamp) for fact, stamp in self.told)

    def _returned(self, fact: Fact, stamp: Stamp) -> Fact:
        address = Address(self.kind.name, "one", fact.name)
        return read_fact(
            decode(envelop(fact, address, stamp.version, "0" * 64, BECAUSE, stamp.time).encode())
        )


@dataclass(frozen=True)
class Asked:
    """A fact that was asked for."""

    story: Story
    fact: Fact

    def then(self, **expected: object) -> Story:
        """It is admitted, and the state has these values afterwards."""
        after = self.story.given(self.fact)
        assert {name: getattr(after.state, name) for name in expected} == expected
        return after

    def then_rejected(self, because: str) -> None:
        """It is refused, in these words (a regular expression)."""
        with pytest.raises(Rejected, match=because):
            self.story.given(self.fact)


def of(kind: AggregateType[Any]) -> Story:
    """Begin a story of one aggregate."""
    return Story(kind, kind.initial)
