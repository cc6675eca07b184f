"""What strangers wrote, ready for a prompt: fenced, with what in it tries to instruct, its name included."""

from collections.abc import Callable
from dataclasses import dataclass, replace

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
