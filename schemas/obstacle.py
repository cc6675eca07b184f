"""What work can wait for."""

from enum import StrEnum


class Obstacle(StrEnum):
    """What work waits for: a person's decision, a budget, somebody who holds it, the end of a pause."""

    PERSON = "person"
    BUDGET = "budget"
    CLAIM = "claim"
    PAUSE = "pause"
