"""What strangers wrote, ready for a prompt: fenced, with what in it tries to instruct, its name included."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from services.masking.mask import masked
from services.prompting.fence import MOST, untrusted
from services.prompting.suspicion import Suspicion, instructions_in
from services.prompting.visible import one_line

_WHERE = 120


@dataclass(frozen=True)
class Material:
    """A fenced text. `suspicions` were found in all of the text, also in what was cut, and in its name."""

    kind: str
    where: str
    fenced: str
    suspicions: tuple[Suspicion, ...]

    @property
    def reports(self) -> tuple[str, ...]:
        """Return the suspicions as lines for a person, each with its place."""
        where = one_line(self.where, _WHERE)
        return tuple(f"{self.kind} {where}: {suspicion}" for suspicion in self.suspicions)


def material(
    kind: str, where: str, text: str, most: int = MOST, mask: Callable[[str], str] = masked
) -> Material:
    """Fence a text and look for instructions in it. `where` is a path, an address or a field's name.

    Instructions are looked for before secrets are hidden: an encoded one looks like a secret.
    """
    found = (*instructions_in(where), *instructions_in(text))
    return Material(
        kind,
        mask(where),
        untrusted(kind, where, text, most, mask),
        tuple(replace(one, quoted=mask(one.quoted)) for one in found),
    )


def reported(materials: Sequence[Material], most: int) -> tuple[str, ...]:
    """Return the suspicions of all of them, each line once.

    Of more than `most` each text has its first told before any has its second: one that is full of them does
    not hide another.
    """
    lines = dict.fromkeys(line for one in materials for line in one.reports)
    by_turn = chain.from_iterable(zip_longest(*(one.reports for one in materials), fillvalue=""))
    kept = frozenset(list(dict.fromkeys(filter(None, by_turn)))[:most])
    return tuple(line for line in lines if line in kept)
