"""Finds the first stretch of an export that is not what was sealed, by the seals that stand inside it.

Rules
1. A seal covers every line before it: the first that does not fit ends the first stretch that was altered.
   Of what comes after that nothing can be told.
2. After so many lines a seal is due: where it is not there it was taken out, or lines were added.
3. A seal that no trusted key signed says nothing. Whether the whole is sealed is for its end to say.
"""

from collections.abc import Callable, Iterator, Sequence

from events.evidence.export import STRETCH, InnerSeal, Line, Opening, Seal
from events.evidence.heads import PublicKey
from events.evidence.verify import Fault

ALTERED = "something was altered, added or removed here: they are not what was sealed"
NO_SEAL = f"no seal follows them, and one is due after {STRETCH} lines"
Found = Callable[[], tuple[int, str, str]]  # what all lines so far come to, as a seal says it


class Stretches:
    """Looks at each line of an export. `altered` is whether the first such stretch was found."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self.altered = False
        self._due = True
        self._due_at = 1 + STRETCH
        self._first = 1
        self._seq = 0

    def see(
        self, number: int, line: Line | None, found: Found, seq: int, trusted: Sequence[PublicKey]
    ) -> Iterator[Fault]:
        """Yield what is wrong with the stretch before a line; `seq` is that of the event seen last."""
        if isinstance(line, Opening):
            self._due = line.form > 1
        if self.altered:
            return
        if isinstance(line, InnerSeal):
            self._due_at = number + 1 + STRETCH
            if unproven(line, trusted):
                return
            if said(line) != found():
                yield self._told(number, ALTERED)
            self._first, self._seq = number + 1, seq
        elif self._due and number >= self._due_at:
            yield self._told(number, NO_SEAL)

    def end(self, number: int) -> Iterator[Fault]:
        """Yield the last stretch, where all before it fits and the end, the line `number`, does not."""
        if not self.altered and self._first > 1:
            yield self._told(number, ALTERED)

    def _told(self, number: int, problem: str) -> Fault:
        self.altered = True
        return Fault(self._seq, f"lines {self._first} to {number - 1}", problem)


def said(seal: Seal) -> tuple[int, str, str]:
    """Return what a seal says that the lines before it come to."""
    return seal.events, seal.chain, seal.sha256


def unproven(seal: Seal, trusted: Sequence[PublicKey]) -> str | None:
    """Say why nobody vouches for a seal; None where a trusted key signed it."""
    if not seal.signature:
        return "is missing: nobody vouches for the whole"
    key = next((key for key in trusted if key.id == seal.key), None)
    if key is None:
        return f"signed with key {seal.key}, which is not trusted here"
    return None if key.signed(seal.signature, seal.content()) else "was altered: its signature does not fit"
