"""Counts the connections of each address, so that nobody alone takes all that the gateway can have open.

Rules
1. Of one address no more are let in than a number. Addresses of IPv6 count as one by their first 64 bits,
   which is what one machine is given to choose from.
2. A refusal is worth telling once in a while for each address, and when told is told with its number.
"""

import ipaddress
from dataclasses import dataclass

TOLD_SECONDS = 10.0


@dataclass
class _Guest:
    open: int = 0
    refused: int = 0
    told: float | None = None


class Guests:
    """Who is connected to one gateway."""

    def __init__(self, most: int) -> None:
        """Have nobody yet."""
        self.most = most
        self._guests: dict[str, _Guest] = {}

    def enter(self, host: str) -> bool:
        """Count one more connection; False where it is one too many, and is not counted."""
        guest = self._guests.setdefault(place_of(host), _Guest())
        if guest.open >= self.most:
            guest.refused += 1
            return False
        guest.open += 1
        return True

    def leave(self, host: str) -> None:
        """Count one less."""
        place = place_of(host)
        guest = self._guests[place]
        guest.open -= 1
        if not guest.open:
            del self._guests[place]

    def to_tell(self, host: str, now: float) -> int:
        """Return how many were refused since that was told, once it is time to tell it; else 0."""
        guest = self._guests[place_of(host)]
        if guest.told is not None and now - guest.told < TOLD_SECONDS:
            return 0
        refused, guest.refused, guest.told = guest.refused, 0, now
        return refused


def place_of(host: str) -> str:
    """Return what connections are counted by."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))
