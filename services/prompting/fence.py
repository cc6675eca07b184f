"""The fence around what strangers wrote: a prompt shows where it begins, where it ends, and whose it is.

Rules
1. A fence is closed by the last line that names its mark, and the mark is a digest of what is inside: whoever
   writes the inside cannot know the mark before the text is finished, nor write it into the text.
2. What looks like a fence inside a fence is written with `&lt;` for its `<`.
3. Everything inside is shown (`visible`); nothing is taken out but secrets, and what is cut for length, and
   that is said. Secrets go first: half of one would not be found.
"""

import hashlib
import html
import re
from collections.abc import Callable

from services.masking.mask import masked
from services.prompting.visible import one_line, visible

MOST = 60_000
_LABEL = 200
# Also in forms that only look like it; characters that show nothing are shown by then.
_LOOKALIKE = re.compile(r"[<＜﹤‹〈⟨ᐸ](?=\W{0,8}untrusted)", re.IGNORECASE)  # noqa: RUF001 -- what only looks like `<`


def untrusted(kind: str, where: str, text: str, most: int = MOST, mask: Callable[[str], str] = masked) -> str:
    """Return `text` fenced as data of strangers: `kind` of thing, and `where` it was read.

    Of a text longer than `most` characters the beginning and the end are kept. `mask` hides secrets; by
    default what looks like one, a `Mask` hides known values too.
    """
    shown, cut = _bounded(visible(mask(text)), most)
    where = mask(where)
    inside = _without_fences(shown)
    mark = _mark(kind, where, inside)
    label = f'kind="{_attribute(kind)}" where="{_attribute(where)}"' + (f' cut="{cut}"' if cut else "")
    return f"<untrusted {label} mark={mark}>\n{inside}\n</untrusted mark={mark}>"


def _bounded(text: str, most: int) -> tuple[str, str]:
    """Cut out the middle of what is too long; say what was cut, or nothing."""
    over = len(text) - most
    if over <= 0:
        return text, ""
    head = most * 2 // 3
    note = f"{over} of {len(text)} characters, after the first {head}"
    return f"{text[:head]}\n[… cut here: {note} …]\n{text[head + over :]}", note


def _mark(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:32]


def _attribute(value: str) -> str:
    return html.escape(one_line(value, _LABEL))


def _without_fences(text: str) -> str:
    return _LOOKALIKE.sub("&lt;", text)
