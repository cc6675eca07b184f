"""A typed action: what goes in, what comes out, how it is asked, what an answer must hold, and the floor.

Rules
1. The template has one placeholder for each field of the input, no more and no fewer.
2. A field goes into the prompt fenced, as text of strangers, unless its type says `Ours`.
3. The floor is pure, makes the same of the same input, and passes the action's own rule.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, TypeVar, runtime_checkable

import orjson
from pydantic import BaseModel

from schemas.base import Frozen
from services.prompting.material import Material, material
from services.prompting.template import Template, UnusablePrompt

InT = TypeVar("InT", bound=Frozen)
OutT = TypeVar("OutT", bound=Frozen)
PACKAGE = "services.actions"


class _Written:
    """Marks a field whose text this system wrote itself."""


OURS = _Written()
Ours = Annotated[str, OURS]


@runtime_checkable
class Told(Protocol):
    """What says itself how it stands in a prompt."""

    def told(self) -> str:
        """Return it in words."""
        ...


@dataclass(frozen=True)
class Prompt:
    """A filled template, and what in it strangers wrote."""

    text: str
    materials: tuple[Material, ...]


@dataclass(frozen=True)
class Action(Generic[InT, OutT]):
    """One action. `check` returns what is wrong with an answer, in words; nothing when it passes."""

    name: str
    given: type[InT]
    answer: type[OutT]
    template: Template
    check: Callable[[InT, OutT], Sequence[str]]
    floor: Callable[[InT], OutT]

    def __post_init__(self) -> None:
        """Refuse a template that does not fit. Raises `UnusablePrompt`."""
        fields, places = set(self.given.model_fields), set(self.template.placeholders)
        if fields != places:
            wrong = ", ".join(sorted(fields ^ places))
            raise UnusablePrompt(f"prompt {self.template.name}: {wrong} is a field or a placeholder alone")

    def prompt(self, given: InT) -> Prompt:
        """Fill the template with an input."""
        values, materials = dict[str, str](), list[Material]()
        for name, info in self.given.model_fields.items():
            text = "\n".join(_lines(getattr(given, name)))
            if OURS in info.metadata:
                values[name] = text
                continue
            fenced = material(name.replace("_", " "), self.name, text)
            materials.append(fenced)
            values[name] = fenced.fenced
        return Prompt(self.template.filled(**values), tuple(materials))


def template(name: str) -> Template:
    """Return the template of an action. Raises `UnusablePrompt`."""
    return Template.load(PACKAGE, name)


def _lines(value: object) -> Iterator[str]:
    """Say a value: a text as it is, each of several on a line of its own, anything else as JSON."""
    match value:
        case str():
            yield value
        case Told():
            yield value.told()
        case tuple() | list():
            for one in value:
                yield from _lines(one)
        case _:
            yield orjson.dumps(value, default=_plain).decode()


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"a {type(value).__name__} cannot be said")
