"""Where a server is, what opens it, which model it is asked for, and what that costs."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from services.engines.openai_compatible.pricing import Prices
from services.engines.transcript import Hidden
from services.masking.needles import SHORTEST

_UNENCRYPTED = "an unencrypted address would show the key to the network"


@dataclass(frozen=True)
class Endpoint:
    """One server. `base_url` is what stands before `/chat/completions`; an empty key sends none.

    `connect_seconds` bounds the way to the server, `silent_seconds` the time without one byte from it.
    """

    base_url: str
    key: str = field(repr=False)
    model: str
    prices: Prices
    connect_seconds: float = 15.0
    silent_seconds: float = 120.0

    def at(self, path: str) -> str:
        """Return the address of a path below the base."""
        return f"{self.base_url.rstrip('/')}/{path}"

    def headers(self) -> Mapping[str, str]:
        """Return what opens the server."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def hidden(self) -> Hidden:
        """Return what hides the key; one of a few letters ("none", "x") is an ordinary word and no secret."""
        return Hidden(self.key if len(self.key) >= SHORTEST else "")

    def problem(self) -> str:
        """Say why it cannot be asked at all; empty where it can."""
        try:
            url = urlsplit(self.base_url)
            host, _ = url.hostname, url.port
        except ValueError:
            return "the base address is no web address"
        if url.scheme not in ("http", "https") or not host:
            return "the base address is no web address"
        if url.username or url.password or url.query or url.fragment:
            return "the base address holds more than scheme, host, port and path"
        if any(not "!" <= char <= "~" for char in self.key):
            return "the key holds a blank, a line break or another character that no key has"
        return _UNENCRYPTED if self.key and url.scheme == "http" and not _is_here(host) else ""


def _is_here(host: str) -> bool:
    """Whether a host is this machine: what is sent there crosses no network."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
