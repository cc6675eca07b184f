"""Reads facts whatever version they were written in: pure steps from the data of a version to the next.

Rules
1. What is stored is never changed: steps work on a copy, whenever an event is read. Written is only the
   newest version.
2. `UPCASTS` holds `version - 1` steps for each fact; the first leads from version 1 to version 2.
3. A step is a pure function of the data alone, and a published one is never changed.
4. A type or a version not known here is refused (`UnknownFact`), never guessed.
"""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from events.envelope import Envelope
from events.fact import Fact
from events.trouble import in_words

Data = dict[str, Any]
Upcast = Callable[[Data], Data]

UPCASTS: dict[type[Fact], tuple[Upcast, ...]] = {}

NOT_ITS = "its data is not that of this fact"
VERSION = re.compile(r"v([1-9][0-9]{0,5})")


class UnknownFact(ValueError):  # noqa: N818 -- says what was met
    """An event this program cannot read: kept on the log, never guessed. Trying again is in vain."""


class NewerVersion(UnknownFact):
    """An event written by a newer program than this one."""


@dataclass(frozen=True)
class Vocabulary:
    """The facts a program knows, by `aps.<aggregate>.<fact>`, and how it reads their older versions."""

    facts: Mapping[str, type[Fact]]
    upcasts: Mapping[type[Fact], tuple[Upcast, ...]]

    def __post_init__(self) -> None:
        """Raise ValueError for a fact whose older versions could not all be read."""
        for name, fact in self.facts.items():
            steps = len(self.upcasts.get(fact, ()))
            if steps != fact.version - 1:
                raise ValueError(
                    f"{name} is at version {fact.version}, so it needs {fact.version - 1} upcasts"
                    f" (events/upcasting.py); it has {steps}"
                )

    @cached_property
    def current(self) -> dict[str, type[Fact]]:
        """Every fact by the type it is written as today, `aps.<aggregate>.<fact>.v<version>`."""
        return {f"{name}.v{fact.version}": fact for name, fact in self.facts.items()}

    def read(self, envelope: Envelope) -> Fact:
        """Return the typed fact inside `envelope`, brought to its newest version.

        Raises `UnknownFact` for a type, a version or a body that is not known here.
        """
        fact, data = self.current.get(envelope.type), envelope.data
        try:
            if fact is None:
                fact, data = self._upcast(envelope)
            return fact.model_validate(data)
        except UnknownFact:
            raise
        except (AttributeError, LookupError, TypeError, ValueError) as problem:
            raise UnknownFact(f"{envelope.type} {envelope.id}: {in_words(problem, NOT_ITS)}") from problem

    def _upcast(self, envelope: Envelope) -> tuple[type[Fact], Data]:
        name, _, suffix = envelope.type.rpartition(".")
        fact, version = self.facts.get(name), VERSION.fullmatch(suffix)
        if fact is None or version is None:
            raise UnknownFact(f"no fact of type {envelope.type} is known here")
        written = int(version[1])
        if written > fact.version:
            raise NewerVersion(
                f"{envelope.type} {envelope.id} is newer than this program, which reads {name} up to version"
                f" {fact.version}: update it, then replay the dead letters and rebuild the views"
            )
        data = deepcopy(envelope.data)
        for step in self.upcasts[fact][written - 1 :]:
            data = step(data)
        return fact, data
