"""The phrases of `phrases.yaml`, ready to search folded text, and how text is folded for it."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import yaml

from schemas.base import Frozen

OVERRIDES = "overrides instructions"
_GAP = r"[\W_]{0,12}"
_PART = re.compile(r"<([a-z]+)>")
_UNSEEN = frozenset({"Mn", "Cf", "Cc", "Co", "Cs"})


@dataclass(frozen=True)
class Phrases:
    """The table: patterns by kind, and which letters and signs stand for which."""

    kinds: Mapping[str, tuple[re.Pattern[str], ...]]
    lookalikes: Mapping[int, int]
    look_alike: re.Pattern[str]


class _Lookalikes(Frozen):
    letters: str
    of_letters: str
    signs: str
    of_signs: str


class _File(Frozen):
    parts: dict[str, str]
    lookalikes: _Lookalikes
    kinds: dict[str, list[str]]


@cache
def phrases() -> Phrases:
    """Return the table."""
    text = (files("services.prompting") / "phrases.yaml").read_text(encoding="utf-8")
    file = _File.model_validate(yaml.safe_load(text))
    parts = dict[str, str]()
    for name, part in file.parts.items():
        parts[name] = _PART.sub(lambda match: parts[match[1]], part)
    alike = file.lookalikes
    letters = re.escape(alike.letters)
    return Phrases(
        kinds={kind: tuple(_compiled(row, parts) for row in rows) for kind, rows in file.kinds.items()},
        lookalikes=str.maketrans(alike.letters + alike.signs, alike.of_letters + alike.of_signs),
        look_alike=re.compile(
            rf"[a-z][{letters}]|[{letters}][a-z]|[a-z][{re.escape(alike.signs)}]{{1,2}}(?:[a-z]|\b)"
        ),
    )


@lru_cache(8192)
def folded(character: str) -> str:
    """Return how a character is compared: plain, small, without accents; nothing for what is not seen."""
    if character in "\n\t ":
        return character
    plain = unicodedata.normalize("NFKD", character.casefold())
    return "".join(one for one in plain if unicodedata.category(one) not in _UNSEEN)


def _compiled(row: str, parts: Mapping[str, str]) -> re.Pattern[str]:
    whole = _PART.sub(lambda match: parts[match[1]], row)
    return re.compile(_with_gaps("".join(one if one.isascii() else folded(one) for one in whole)))


def _with_gaps(pattern: str) -> str:
    """Turn each blank outside of brackets into a gap."""
    parts, inside = list[str](), False
    for before, one in zip(f" {pattern}", pattern, strict=False):
        if one in "[]" and before != "\\":
            inside = one == "["
        parts.append(_GAP if one == " " and not inside else one)
    return "".join(parts)
