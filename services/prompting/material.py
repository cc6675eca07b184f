"""What strangers wrote, ready for a prompt: fenced, with what in it tries to instruct, its name included."""

from dataclasses import dataclass

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


def material(kind: str, where: str, text: str, most: int = MOST) -> Material:
    """Fence a text and look for instructions in it. `where` is a path, an address or a field's name."""
    return Material(
        kind, where, untrusted(kind, where, text, most), (*instructions_in(where), *instructions_in(text))
    )
