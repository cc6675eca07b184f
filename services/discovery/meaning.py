"""What a delivery means: nothing, our own work, a look at what was pushed, or a request in words. Pure."""

from dataclasses import dataclass

from schemas.delivery import Outcome
from services.asking.context import Handed


@dataclass(frozen=True)
class Meaning:
    """What should come of a delivery, and why; `said` holds nothing that a stranger wrote.

    Only what is `requested` asks for anything: for `words`, or without them for a look by rules. What others
    wrote is in `context`. `branch`: only where the target stands on it. `target`: only of this one, by its id
    or title, not of all whose remote is the repository. `once`: not where these words were asked for before.
    """

    outcome: Outcome
    said: str
    words: str = ""
    context: tuple[Handed, ...] = ()
    branch: str = ""
    target: str = ""
    once: bool = False


def recorded(said: str) -> Meaning:
    """Return that nothing comes of it."""
    return Meaning(Outcome.RECORDED, said)


def own(said: str) -> Meaning:
    """Return that it tells of our own work, which never asks for more."""
    return Meaning(Outcome.OWN, said)
