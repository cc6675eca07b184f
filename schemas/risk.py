"""Risk classes, ordered."""

from enum import StrEnum


class RiskClass(StrEnum):
    """How much a person should look before a change lands."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def level(self) -> int:
        """0 for low, 1 for medium, 2 for high."""
        return list(RiskClass).index(self)
