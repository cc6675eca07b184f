"""The forms in which a known secret may stand in a text: as it is, quoted, escaped, encoded."""

import base64
import html
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Shorter values would hide ordinary words. Every encoded form is at least as long."""


def needles(values: Iterable[str]) -> tuple[str, ...]:
    """Return every form of every value, longest first.

    Raises ValueError for a value too short to be told from ordinary text. Empty values are none.
    """
    forms: set[str] = set()
    for value in filter(None, values):
        if len(value) < SHORTEST:
            raise ValueError(f"a secret of {len(value)} characters cannot be hidden: at least {SHORTEST}")
        forms.update(_forms(value))
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def _forms(value: str) -> Iterator[str]:
    content = value.encode("utf-8", "surrogatepass")
    yield value
    yield html.escape(value)
    yield repr(value)[1:-1]
    for readable in (True, False):
        escaped = json.dumps(value, ensure_ascii=readable)[1:-1]
        yield from (escaped, json.dumps(escaped, ensure_ascii=readable)[1:-1])
    for percent in (quote(content, safe=""), quote(content), quote_plus(content)):
        yield from (percent, _lower_percent(percent))
    yield "".join(f"%{byte:02X}" for byte in content)
    yield "".join(f"%{byte:02x}" for byte in content)
    yield from (content.hex(), content.hex().upper())
    for offset in range(3):
        yield from _base64_within(content, offset)


def _base64_within(content: bytes, offset: int) -> Iterator[str]:
    """The base64 characters that depend on `content` alone when it stands `offset` bytes into a group."""
    first = -(-offset * 8 // 6)  # the first character that holds none of the bytes before
    last = (offset + len(content)) * 8 // 6  # the first that would hold a bit of what comes after
    padded = bytes(offset) + content + bytes(3)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(padded).decode("ascii")[first:last]


def _lower_percent(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])
