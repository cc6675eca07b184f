"""Which patterns may be proposed: those that can be matched in a time that no text can stretch.

Rules
1. Only literals, classes, groups, alternatives, anchors and repeats; no reference back, no look around, and
   in a class nothing that Python keeps for sets of classes: it warns, and may read that otherwise one day.
2. Nothing that repeats holds a repeat or an alternative.
3. So the ways to match a text are at most the product of all choices: each alternative, and each length of
   each repeat. That product is bounded, and so are the texts.
"""

import re

LONGEST = 128  # characters of a text that a pattern is held against
LONGEST_PATTERN = 200
MOST_WAYS = 1 << 18
_TOKEN = re.compile(
    r"(?P<atom>\\[dwsDWS.\\/\-+*?()\[\]{}^$|:@#%&~,_ ]"
    r"|\[(?!\[)\^?\]?(?:\\.|(?!--|&&|~~|\|\|)[^\]\\])+\]"
    r"|[^\\\[\]()*+?{}|])"
    r"|(?P<open>\((?:\?:)?(?!\?))"
    r"|(?P<close>\))"
    r"|(?P<repeat>[*+?]|\{\d{1,4}(?:,\d{0,4})?\})"
    r"|(?P<alternative>\|)"
)


class Unsafe(Exception):  # noqa: N818 -- says what a pattern is
    """A pattern that may take long, or that is none."""


def why_not(pattern: str) -> str:
    """Return why a pattern may not be proposed; nothing when it may."""
    if not 0 < len(pattern) <= LONGEST_PATTERN:
        return f"it has {len(pattern)} characters, 1 to {LONGEST_PATTERN} are read"
    try:
        ways = _Reading().ways(pattern)
        re.compile(pattern)
    except Unsafe as unsafe:
        return str(unsafe)
    except (re.error, OverflowError, RecursionError) as wrong:
        return f"it does not compile: {wrong}"
    return f"there are {ways} ways to match it, {MOST_WAYS} may be" if ways > MOST_WAYS else ""


def matches(pattern: str, text: str) -> bool:
    """Whether all of a text matches; the pattern is one that `why_not` lets pass."""
    return len(text) <= LONGEST and re.fullmatch(pattern, text) is not None


class _Group:
    """A group as it is read: how many alternatives it has, and whether it can match in several ways."""

    def __init__(self) -> None:
        self.alternatives = 1
        self.many = False


class _Reading:
    """Reads a pattern once, from left to right."""

    def __init__(self) -> None:
        self._groups = [_Group()]
        self._last: _Group | None = None  # what a repeat would repeat
        self._ways = 1

    def ways(self, pattern: str) -> int:
        """Return in how many ways a text can match at most. Raises `Unsafe`."""
        at = 0
        while at < len(pattern):
            token = _TOKEN.match(pattern, at)
            if token is None:
                raise Unsafe(
                    f"character {at + 1}: literals, classes, groups, alternatives and repeats may be used"
                )
            at = token.end()
            getattr(self, f"_{token.lastgroup}")(token[0])
        if len(self._groups) > 1:
            raise Unsafe("a group is not closed")
        return self._ways * self._groups[0].alternatives

    def _atom(self, _: str) -> None:
        self._last = _Group()

    def _open(self, _: str) -> None:
        self._groups.append(_Group())
        self._last = None

    def _close(self, _: str) -> None:
        if len(self._groups) == 1:
            raise Unsafe("a group is closed that was not opened")
        self._last = self._groups.pop()
        self._ways *= self._last.alternatives
        self._groups[-1].many |= self._last.many

    def _alternative(self, _: str) -> None:
        self._groups[-1].alternatives += 1
        self._groups[-1].many = True
        self._last = None

    def _repeat(self, how: str) -> None:
        if self._last is None:
            raise Unsafe(f"{how} repeats nothing, or a repeat")
        if self._last.many and how != "?":
            raise Unsafe("what repeats holds a repeat or an alternative")
        lengths = _lengths(how)
        self._ways *= lengths
        self._groups[-1].many |= lengths > 1
        self._last = None


def _lengths(how: str) -> int:
    """Return in how many lengths a repeat can be, on the longest text."""
    if how in "*+":
        return LONGEST
    if how == "?":
        return 2
    least, comma, most = how.strip("{}").partition(",")
    if not comma:
        return 1
    return max(1, min(LONGEST, int(most) if most else LONGEST) - int(least) + 1)
