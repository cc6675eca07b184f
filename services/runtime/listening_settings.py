"""The settings of the gateway's address: where it listens, and under which certificate.

Beyond this machine it listens encrypted, or where somebody says in so many words that it need not.
"""

import ipaddress
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from schemas.base import Frozen
from services.runtime.encryption_settings import FILE, ReadableFile
from services.runtime.setting_field import named

LOOPBACK = "127.0.0.1"
MOST_CONNECTIONS = 600  # of the 1024 files that a process may usually have open
LOCALHOST = "localhost"
TRUE = ("true", "1", "yes", "on", "t", "y")


def _address(host: str) -> str:
    if host != LOCALHOST:
        ipaddress.ip_address(host)
    return host


class ListeningSettings(Frozen):
    """What `Settings` holds of the gateway's address."""

    host: Annotated[str, AfterValidator(_address)] = named(
        "APS_HOST",
        "Address the gateway listens on; beyond this machine it needs a certificate",
        "an IP address of this machine, 0.0.0.0 for all of its own, or localhost",
        default=LOOPBACK,
    )
    port: int = named("APS_PORT", "Port of the gateway", "0 (any) to 65535", default=4000, ge=0, le=65535)
    tls_cert: ReadableFile | None = named(
        "APS_TLS_CERT",
        "Certificate the gateway shows, and those above it; with APS_TLS_KEY",
        FILE,
        default=None,
    )
    tls_key: ReadableFile | None = named("APS_TLS_KEY", "Key of that certificate", FILE, default=None)
    allow_plain_http: bool = named(
        "APS_ALLOW_PLAIN_HTTP",
        "Listen beyond this machine without encryption, as behind a proxy that encrypts",
        "true or false",
        default=False,
    )
    connections_per_address: int = named(
        "APS_CONNECTIONS_PER_ADDRESS",
        "Connections that one address may have open at the gateway; behind a proxy all have the proxy's",
        "1 to 100000",
        default=MOST_CONNECTIONS,
        ge=1,
        le=100_000,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    return host == LOCALHOST or ipaddress.ip_address(host).is_loopback


def unfit_address(given: Mapping[str, str]) -> list[str]:
    """Return what of the gateway's address does not go together, one line each."""
    pair = ("APS_TLS_CERT", "APS_TLS_KEY")
    present = [name for name in pair if name in given]
    if len(present) == 1:
        return [f"{present[0]} is set alone: give {pair[0]} and {pair[1]}"]
    plain = not present and given.get("APS_ALLOW_PLAIN_HTTP", "").lower() not in TRUE
    host = given.get("APS_HOST", LOOPBACK)
    if not plain or not _beyond(host):
        return []
    return [
        f"APS_HOST={host!r} is reached from other machines, and tokens would cross the network in the open:"
        f" give {pair[0]} and {pair[1]}, or APS_ALLOW_PLAIN_HTTP=true where a proxy in front encrypts"
    ]


def _beyond(host: str) -> bool:
    try:
        return not is_loopback(host)
    except ValueError:
        return False  # the field says what it allows
