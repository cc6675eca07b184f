"""Infers validation rules from values alone: the floor of what is proposed.

A bound is set where nature sets one (nothing below zero), or well beyond what was seen; a list of values only
where each came often enough to be no accident.
"""

import re
from collections.abc import Iterator

from services.actions.observing import Observed, Seen
from services.actions.patterns import LONGEST
from services.actions.rules import MOST, Demand, Rule, Rules

ENOUGH = 3  # examples, below which only the types say anything
MOST_CHOICES, EACH_SEEN = 10, 5
ROOM = 4  # times as long as the longest text that was seen
FORMS: tuple[tuple[str, str], ...] = (
    (r"[0-9a-f]{64}", "a SHA-256 in hexadecimal"),
    (r"[0-9a-f]{40}", "an object id of git"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "a UUID"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", "a time of ISO 8601 with its zone"),
    (r"\d{4}-\d\d-\d\d", "a date of ISO 8601"),
    (r"[a-z][a-z0-9-]*", "made of small letters, digits and hyphens"),
)
_TYPES = {str: "string", bool: "boolean", int: "integer", type(None): "null"}


def inferred(given: Observed) -> Rules:
    """Return the rules that the values suggest."""
    found = [rule for seen in given.fields for rule in _of_field(given, seen)]
    return Rules(rules=tuple(found[:MOST]))


def _of_field(given: Observed, seen: Seen) -> Iterator[Rule]:
    known = seen.path in given.required
    if seen.always and seen.parents >= ENOUGH and not known and not seen.path.endswith(("[]", "*")):
        why = f"it was there in all of {seen.parents}"
        yield Rule(field=seen.path, demand=Demand.REQUIRED, why=why)
    kinds = {type(value) for value in seen.values}
    if len(kinds) != 1 or seen.more or seen.nested:
        return
    (kind,) = kinds
    yield Rule(field=seen.path, demand=Demand.TYPE, text=_TYPES[kind], why="every value is of it")
    if seen.present < ENOUGH:
        return
    if seen.numbers:
        yield from _bounds(seen.path, *seen.numbers)
    if seen.lengths:
        yield from _of_texts(seen, *seen.lengths)


def _bounds(path: str, low: int, high: int) -> Iterator[Rule]:
    if low >= 0:
        least = min(low, 1)
        yield Rule(field=path, demand=Demand.MINIMUM, number=least, why=f"the lowest that was seen is {low}")
    if high > 0:
        most = 10 ** (len(str(high)) + 1)
        why = f"the highest that was seen is {high}; this leaves room for ten times that"
        yield Rule(field=path, demand=Demand.MAXIMUM, number=most, why=why)


def _of_texts(seen: Seen, shortest: int, longest: int) -> Iterator[Rule]:
    texts = sorted(value for value in seen.values if isinstance(value, str))
    if len(texts) <= MOST_CHOICES and seen.present >= EACH_SEEN * len(texts) and all(map(_is_word, texts)):
        why = f"in {seen.present} examples there were no others"
        yield Rule(field=seen.path, demand=Demand.ENUM, values=tuple(texts), why=why)
        return
    if shortest > 0:
        yield Rule(field=seen.path, demand=Demand.MIN_LENGTH, number=1, why="it was never empty")
    form = _form(texts) if longest <= LONGEST else None
    if form is not None:
        yield Rule(field=seen.path, demand=Demand.PATTERN, text=form[0], why=f"every one is {form[1]}")
    most = _rounded(longest * ROOM)
    why = f"the longest that was seen has {longest} characters"
    yield Rule(field=seen.path, demand=Demand.MAX_LENGTH, number=most, why=why)


def _is_word(text: str) -> bool:
    return re.fullmatch(r"[a-z][a-z_]{0,39}", text) is not None


def _form(texts: list[str]) -> tuple[str, str] | None:
    """Return the first form that all texts have."""
    return next((form for form in FORMS if all(re.fullmatch(form[0], text) for text in texts)), None)


def _rounded(number: int) -> int:
    """Return the next power of two."""
    return 1 << max(4, (number - 1).bit_length())
