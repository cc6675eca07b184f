"""What tokens cost: a table handed in, in micro-units (millionths of a US dollar) per million tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.engine import Billing

_MILLION = 1_000_000
BYTES_A_TOKEN = 4  # for an estimate where the server has not counted yet


@dataclass(frozen=True)
class Price:
    """Micro-units for a million tokens read, written, read from the server's cache; all 0: nobody bills."""

    read: int
    written: int
    cached: int | None = None

    @property
    def billing(self) -> Billing:
        """Say who pays."""
        return Billing.PRICE if self.read or self.written or self.cached else Billing.FREE

    def micros(self, read: int, cached: int, written: int) -> int:
        """Return the cost, rounded up; `cached` of the tokens read came from the cache."""
        for_cached = self.read if self.cached is None else self.cached
        exact = (read - cached) * self.read + cached * for_cached + written * self.written
        return -(-exact // _MILLION)


FREE = Price(0, 0)


@dataclass(frozen=True)
class Prices:
    """A price for each model by name, and one for any other (None: another is not asked at all)."""

    models: Mapping[str, Price] = field(default_factory=dict)
    otherwise: Price | None = None

    def of(self, model: str) -> Price | None:
        """Return the model's price; None where none is known."""
        return self.models.get(model, self.otherwise)


def estimated_tokens(size: int) -> int:
    """Estimate the tokens in so many bytes."""
    return -(-size // BYTES_A_TOKEN)
