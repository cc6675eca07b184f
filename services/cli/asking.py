"""How a person's word at the command line is recorded: by whom, why, and in which chain of events."""

import getpass
from uuid import uuid4

from events.envelope import Cause
from services.runtime.ground import actor
from services.runtime.tracing import current


def cause() -> Cause:
    """Return the cause of facts that a person at the command line records; each begins a chain of its own."""
    return Cause(actor=actor("cli"), source="aps/cli", correlation=str(uuid4()), traceparent=current())


def because(reason: str, what: str) -> str:
    """Return the reason a person gave, or who did it."""
    return reason or f"{what} by {_person()} at the command line"


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as containers have
        return "somebody"
