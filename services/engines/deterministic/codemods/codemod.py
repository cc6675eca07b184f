"""What a codemod is: a rule's fix as a pure rewriting of source text at given positions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Position(NamedTuple):
    """Where ruff says the rule fires, counted from 1, in characters."""

    row: int
    column: int


@dataclass(frozen=True)
class Rewritten:
    """The new text, and the positions left alone with the reason."""

    text: str
    refused: Mapping[Position, str] = field(default_factory=dict)


class Codemod(Protocol):
    """Fixes one rule of ruff that ruff does not fix."""

    @property
    def rule(self) -> str:
        """The rule's code."""
        ...

    def rewrite(self, text: str, wanted: frozenset[Position]) -> Rewritten:
        """Rewrite `text` at the wanted positions only; formatting elsewhere stays byte for byte."""
        ...
