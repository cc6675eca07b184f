"""A delivery: what another system sent to a web hook, and what became of it.

Rules
1. A delivery is received once, whatever else comes under its id, and understood once.
2. What it holds is sealed: in the fact where it is small, else as an artefact.
3. What was refused is recorded on an aggregate of its own, one for each web hook and day: whoever is not let
   in has no say over the ids of those who are. What is refused in a flood is recorded together.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from events.fact import AggregateType, Fact, Rejected, Stamp, replace
from schemas.artefacts import ArtefactRef
from schemas.delivery import Outcome, Source
from schemas.sealed import Sealed

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Received(Fact):
    """It came correctly signed and was stored before it was answered.

    `key` is the id its sender gave it, `event` the sender's word for what happened (for n8n: the workflow),
    `about` the repository as `host/owner/name`, empty where it names none. `body_sha256` is that of the bytes
    sent, `size` their number. `former_secret`: it was signed with the secret before the present one. What was
    sent is in `sealed` or, where that is long, in `payload`.
    """

    name: ClassVar[str] = "received"
    source: Source
    key: str
    event: str
    about: str
    size: Annotated[int, Field(ge=0)]
    body_sha256: Digest
    former_secret: bool = False
    sealed: Sealed | None = None
    payload: ArtefactRef | None = None


class Understood(Fact):
    """What it led to, and why, in a person's words; `scan` of `target` is what it asked for, if anything."""

    name: ClassVar[str] = "understood"
    outcome: Outcome
    said: str
    target: str = ""
    scan: str = ""


class Refused(Fact):
    """Something was not taken: why, from which address it came last, and how often within seconds.

    `event` and `key` are the last one's own words, which nobody vouches for.
    """

    name: ClassVar[str] = "refused"
    source: Source
    why: str
    address: str
    event: str = ""
    key: str = ""
    times: int = 1


DeliveryFact = Received | Understood | Refused


@dataclass(frozen=True)
class Delivery:
    """The state of one delivery, or of what was refused on one day: `refused` counts it."""

    received: Received | None = None
    understood: Understood | None = None
    refused: int = 0


def evolve(state: Delivery, fact: DeliveryFact, stamp: Stamp) -> Delivery:
    """Return the delivery after `fact`."""
    match fact:
        case Received():
            return replace(state, received=fact)
        case Understood():
            return replace(state, understood=fact)
        case Refused():
            return replace(state, refused=state.refused + fact.times)


def decide(state: Delivery, fact: DeliveryFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`."""
    match fact:
        case Received():
            if state.received is not None:
                raise Rejected("the delivery was received already")
            if (fact.sealed is None) == (fact.payload is None):
                raise Rejected("a delivery holds what was sent, in one place")
        case Understood():
            if state.received is None or state.understood is not None:
                told = "was understood already" if state.understood else "was never received"
                raise Rejected(f"the delivery {told}")
        case Refused():
            if fact.times < 1:
                raise Rejected("what never came cannot be refused")


DELIVERY = AggregateType("delivery", (Received, Understood, Refused), Delivery(), evolve, decide)
