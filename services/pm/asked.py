"""What a person asked for, as an improvement: found under its own words, specified by an engine."""

import hashlib
from typing import Literal

import orjson
from pydantic import Field, model_validator

from events.improvement_facts import Discovered
from events.target import ScanRequested, request_id
from schemas.base import Frozen
from schemas.improvement import Requirement
from services.gherkin.steps import GuardedByTests, KeptByTests, Proven, ShownByTests
from services.pm.scanning import JSON
from services.runtime.log import Log

SOURCE = "request"
RULE = "request"
TITLE = 72

Category = Literal["feature", "bug", "performance", "tests", "documentation", "refactoring"]
PROVEN: dict[Category, type[Proven]] = {
    "feature": ShownByTests,
    "bug": ShownByTests,
    "tests": GuardedByTests,
    "performance": KeptByTests,
    "documentation": KeptByTests,
    "refactoring": KeptByTests,
}


class Wanted(Frozen):
    """What must hold after a request was done, or why it cannot be done."""

    title: str = Field(min_length=3, max_length=100)
    category: Category
    requirements: tuple[str, ...] = Field(max_length=20)
    behaviours: tuple[str, ...] = Field(max_length=12)
    unclear: str = Field(default="", max_length=2000)
    forbidden: str = Field(default="", max_length=2000)
    suspicions: tuple[str, ...] = Field(default=(), max_length=20)

    @model_validator(mode="after")
    def _is_whole(self) -> "Wanted":
        if self.unclear or self.forbidden:
            return self
        if not self.requirements or not self.behaviours:
            raise ValueError("without requirements or behaviours, say what is unclear or forbidden")
        if len(set(self.told)) != len(self.told) or not all(self.told):
            raise ValueError("each behaviour is a sentence of its own")
        return self

    @property
    def told(self) -> tuple[str, ...]:
        """The behaviours, each on one line."""
        return tuple(" ".join(one.split()) for one in self.behaviours)

    @property
    def proven(self) -> type[Proven]:
        """How tests prove the behaviours: what only a feature or a bug fix brings is not there before."""
        return PROVEN[self.category]

    @property
    def refusal(self) -> str:
        """Why it is not done; empty when it is."""
        if self.forbidden:
            return f"not done, as it would do harm: {self.forbidden}"
        if self.unclear:
            return f"not done, as it is unclear: {self.unclear} Ask again with that said."
        return ""


async def discovered(book: Log, target: str, request: ScanRequested) -> tuple[str, Discovered]:
    """Return a request as a discovery, under its first words."""
    words, context = " ".join(request.request.split()), [one.digest for one in request.context]
    title = words if len(words) <= TITLE else f"{words[: TITLE - 1]}…"
    fact = Discovered(
        target=target,
        scan=request.scan,
        base=request.base,
        rank=1,
        source=SOURCE,
        rule=RULE,
        title=title,
        why=request.request,
        category=SOURCE,
        expected=0,
        files=(),
        sites=await book.keep(orjson.dumps([]), f"{RULE}-sites.json", JSON),
        inputs=hashlib.sha256(" ".join((request.base, request.request, *context)).encode()).hexdigest(),
    )
    return request_id(target, request.base, request.request, context), fact


def numbered(wanted: Wanted) -> tuple[Requirement, ...]:
    """Return the requirements with their ids."""
    return tuple(Requirement(id=f"R{n}", text=text) for n, text in enumerate(wanted.requirements, start=1))
