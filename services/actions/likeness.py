"""How alike two texts are, by their words alone."""

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"\w+(?:[./-]\w+)*")
# Words that carry no meaning of their own. Negations, numbers and directions do, so none is here.
_FILLING = frozenset(
    "a an the of and is are be it its this that these those please should must would i we you want".split()  # noqa: SIM905 -- words read better in a row
)


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text in their order, compared alike: without accents of form, case or endings."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def telling(text: str) -> tuple[str, ...]:
    """Return the words that tell one text from another, in their order."""
    words = words_of(text)
    return tuple(word for word in words if word not in _FILLING) or words


def likeness(one: Iterable[str], other: Iterable[str]) -> float:
    """Return the share of words that both have, 0…1 (Jaccard); nothing is like nothing."""
    first, second = set(one), set(other)
    both = first | second
    return len(first & second) / len(both) if both else 0.0
