"""A validation rule for a field, and whether all that was observed holds to it.

1. A rule holds for everything that was observed; where not everything could be looked at, none is proven.
2. A pattern can be matched in bounded time (`services.actions.patterns`), on texts of bounded length.
3. No rule is there twice, and none for a field that was never seen.
"""

from collections.abc import Iterator
from enum import StrEnum

from pydantic import Field

from schemas.base import Frozen
from services.actions.observing import Leaf, Observed, Seen
from services.actions.patterns import LONGEST, matches, why_not

MOST, MOST_VALUES, SAYS = 200, 50, 300
_TYPES = {"string": str, "integer": int, "boolean": bool, "null": type(None)}


class Demand(StrEnum):
    """What a rule demands of a field."""

    REQUIRED = "required"
    TYPE = "type"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    MIN_LENGTH = "min_length"
    MAX_LENGTH = "max_length"
    ENUM = "enum"
    PATTERN = "pattern"


class Rule(Frozen):
    """One rule. `number` is the bound, `text` the pattern or type, `values` those that may be."""

    field: str
    demand: Demand
    number: int | None = None
    text: str = Field(default="", max_length=SAYS)
    values: tuple[str, ...] = Field(default=(), max_length=MOST_VALUES)
    why: str = Field(min_length=1, max_length=SAYS)


class Rules(Frozen):
    """The rules that are proposed."""

    rules: tuple[Rule, ...] = Field(max_length=MOST)


def problems(given: Observed, made: Rules) -> list[str]:
    """Return what is wrong with proposed rules."""
    found = list[str]()
    told = set[tuple[str, Demand]]()
    for rule in made.rules:
        if (rule.field, rule.demand) in told:
            found.append(f"{rule.field}: {rule.demand.value} is demanded twice")
        told.add((rule.field, rule.demand))
        seen = given.field(rule.field)
        wrong = [f"{rule.field!r} was never seen"] if seen is None else _broken(rule, seen)
        found += [f"{rule.field}, {rule.demand.value}: {one}" for one in wrong]
    return found


def _broken(rule: Rule, seen: Seen) -> Iterator[str]:
    """Say what of a rule is missing, or which observation breaks it."""
    match rule.demand:
        case Demand.REQUIRED:
            if not seen.always:
                yield f"it was there in {seen.present} of {seen.parents} only"
        case Demand.TYPE:
            yield from _untyped(rule, seen)
        case Demand.MINIMUM | Demand.MAXIMUM:
            yield from _beyond(rule, seen.numbers, "number")
        case Demand.MIN_LENGTH | Demand.MAX_LENGTH:
            yield from _beyond(rule, seen.lengths, "text")
        case Demand.ENUM:
            yield from _not_among(rule, seen)
        case Demand.PATTERN:
            yield from _unmatched(rule, seen)


def _untyped(rule: Rule, seen: Seen) -> Iterator[str]:
    kind = _TYPES.get(rule.text)
    if kind is None:
        yield f"there is no type {rule.text!r}; there are: {', '.join(_TYPES)}"
    elif seen.more or seen.nested or not seen.values:
        yield "not all of its values could be looked at"
    else:
        yield from (f"{_short(value)} is none" for value in seen.values if type(value) is not kind)


def _beyond(rule: Rule, bounds: tuple[int, int] | None, what: str) -> Iterator[str]:
    if rule.number is None:
        yield "no number is given"
    elif bounds is None:
        yield f"no {what} was seen"
    elif rule.demand in (Demand.MINIMUM, Demand.MIN_LENGTH) and bounds[0] < rule.number:
        yield f"{bounds[0]} was seen, below {rule.number}"
    elif rule.demand in (Demand.MAXIMUM, Demand.MAX_LENGTH) and bounds[1] > rule.number:
        yield f"{bounds[1]} was seen, beyond {rule.number}"


def _not_among(rule: Rule, seen: Seen) -> Iterator[str]:
    if not rule.values:
        yield "no values are given"
    elif len(set(rule.values)) != len(rule.values):
        yield "a value is given twice"
    elif seen.more or seen.nested or not seen.values:
        yield "not all of its values could be looked at"
    else:
        yield from (f"{_short(value)} was seen too" for value in seen.values if value not in rule.values)


def _unmatched(rule: Rule, seen: Seen) -> Iterator[str]:
    if problem := why_not(rule.text):
        yield problem
        return
    texts = [value for value in seen.values if isinstance(value, str)]
    if seen.more or not texts:
        yield "not all of its texts could be looked at"
    elif seen.lengths and seen.lengths[1] > LONGEST:
        yield f"a text of {seen.lengths[1]} characters was seen, patterns are for at most {LONGEST}"
    else:
        yield from (f"{_short(text)} does not match" for text in texts if not matches(rule.text, text))


def _short(value: Leaf) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
