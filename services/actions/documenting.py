"""Documents a resource: what an event, an endpoint or a workflow is for, and what each of its fields says.

Rule: every field that is named exists, every required field is documented, each once, all of it short.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator

from schemas.base import Frozen
from services.actions.action import OURS, Action, Ours, template

SUMMARY, SAYS = 700, 300
MOST_PARTS = 300
_SENTENCE = re.compile(r"(?<=[.;:])\s+")
_TICKED = re.compile(r"`([A-Za-z_][\w.\[\]-]*)`")

Kind = Literal["event", "endpoint", "workflow"]


class Part(Frozen):
    """A field of a resource, a parameter of an endpoint or a step of a workflow."""

    name: str
    type: str
    required: bool
    says: str = ""

    def told(self) -> str:
        """Return it on a line."""
        return f"- {self.name} ({self.type}, {'required' if self.required else 'optional'}) {self.says}"


class Resource(Frozen):
    """What is to be documented. `purpose` and `parts` come from the source; `notes` say what surrounds it."""

    kind: Annotated[Kind, OURS]
    name: Ours
    purpose: str
    parts: tuple[Part, ...] = Field(max_length=MOST_PARTS)
    notes: tuple[str, ...] = ()

    @field_validator("parts")
    @classmethod
    def _are_told_apart(cls, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        if len({part.name for part in parts}) != len(parts):
            raise ValueError("each part has a name of its own")
        return parts


class PartSaid(Frozen):
    """What a field says, for somebody who has never seen it."""

    name: str
    says: str = Field(min_length=1, max_length=SAYS)


class Documentation(Frozen):
    """What a resource is for, and what its fields say."""

    summary: str = Field(min_length=1, max_length=SUMMARY)
    parts: tuple[PartSaid, ...] = Field(max_length=MOST_PARTS)


def _problems(given: Resource, made: Documentation) -> Iterator[str]:
    known = {part.name for part in given.parts}
    named = [part.name for part in made.parts]
    yield from (f"there is no {name!r}" for name in dict.fromkeys(named) if name not in known)
    yield from (f"{name!r} is documented twice" for name in dict.fromkeys(named) if named.count(name) > 1)
    missing = [part.name for part in given.parts if part.required and part.name not in named]
    yield from (f"{name!r} is required and not documented" for name in missing)
    told = "\n".join((given.name, given.purpose, *(p.says for p in given.parts), *given.notes))
    for said in (made.summary, *(part.says for part in made.parts)):
        strange = [name for name in _TICKED.findall(said) if name not in known and name not in told]
        yield from (f"there is nothing called `{name}`" for name in strange)


def problems(given: Resource, made: Documentation) -> list[str]:
    """Return what is wrong with a documentation."""
    return list(dict.fromkeys(_problems(given, made)))


def from_source(given: Resource) -> Documentation:
    """Document a resource by what its source says."""
    parts = tuple(PartSaid(name=part.name, says=_cut(_said(given, part), SAYS)) for part in given.parts)
    purpose = " ".join(given.purpose.split())
    return Documentation(summary=_cut(purpose or f"The {given.kind} {given.name}.", SUMMARY), parts=parts)


def _said(given: Resource, part: Part) -> str:
    """Return a field's own words, else those of the purpose that name it, and its type."""
    own = part.says or " ".join(
        sentence for sentence in _SENTENCE.split(given.purpose) if f"`{part.name}`" in sentence
    )
    typed = f"{part.type}, {'required' if part.required else 'optional'}"
    return " ".join(f"{typed}: {own.rstrip('.;: ')}".split()) if own else typed


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


DOCUMENT = Action(
    "document_resource", Resource, Documentation, template("document_resource"), problems, from_source
)
