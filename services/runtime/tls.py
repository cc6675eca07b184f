"""Whom to trust on an encrypted connection, and what to say where that fails."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from services.runtime.settings import Settings, WrongSettings

TLS_SCHEMES = ("tls://", "wss://")


class UnusableCertificate(WrongSettings):
    """A file of certificates or a key cannot be used; the message names its setting."""


class _Named(ssl.SSLContext):
    """A context that looks for one name in the certificate, whatever name the server was reached by."""

    name: str

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        """As asyncio calls it, with our name."""
        return super().wrap_bio(*args, **{**more, "server_hostname": self.name})


@dataclass(frozen=True)
class Tls:
    """The certificates of one kind of server, as the settings give them; `server` is their prefix."""

    server: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    name: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return a context that demands a proven server. Raises `UnusableCertificate`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if self.name is None else _named(self.name)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(self.ca) if self.ca else context.load_default_certs()
        except OSError as problem:
            raise UnusableCertificate(f"{self.server}_TLS_CA={self.ca} holds no certificate") from problem
        try:
            if self.cert is not None:
                # A password would be asked for on the terminal: a key that needs one is refused instead.
                context.load_cert_chain(self.cert, self.key, password="")
        except OSError as problem:
            pair = f"{self.server}_TLS_CERT={self.cert} and {self.server}_TLS_KEY={self.key}"
            raise UnusableCertificate(f"{pair} are no certificate with its key: {problem}") from problem
        return context

    def refusal(self, problem: BaseException) -> str:
        """Say what an encrypted connection failed for, and which settings bear on it."""
        return refusal(self.server, problem)


def _named(name: str) -> _Named:
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)
    context.name = name
    return context


def refusal(server: str, problem: BaseException) -> str:
    """Say what a connection failed for; where it is a matter of certificates, which settings bear on it."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        names = f"{server}_TLS_CA names whom to trust, {server}_TLS_NAME the name in the certificate"
        return f"it does not prove who it is: {problem.verify_message}; {names}"
    if isinstance(problem, ssl.SSLError) and "CERTIFICATE_REQUIRED" in (problem.reason or ""):
        return f"it wants a certificate of ours: give {server}_TLS_CERT and {server}_TLS_KEY"
    return str(problem) or type(problem).__name__


def cipher_of(secured: ssl.SSLObject | None) -> str | None:
    """Return version and cipher of an encrypted connection, None for one in the open."""
    cipher = secured.cipher() if secured is not None else None
    return f"{cipher[1]}, {cipher[0]}" if cipher else None


def database_away(url: str, problem: BaseException) -> str:
    """Say that PostgreSQL is out of reach, where, and what to do about it; no credentials."""
    where = urlsplit(url)
    server = f"{where.hostname}:{where.port or 5432}"
    return f"PostgreSQL at {server} is out of reach: {refusal('DATABASE', problem)}"


def of_nats(settings: Settings) -> Tls | None:
    """Return the certificates for a NATS of one's own; None where its connection need not be encrypted."""
    if settings.nats_url is None:
        return None
    tls = Tls(
        "NATS", settings.nats_tls_ca, settings.nats_tls_cert, settings.nats_tls_key, settings.nats_tls_name
    )
    asked = any(scheme in settings.nats_url.get_secret_value() for scheme in TLS_SCHEMES)
    return tls if asked or tls != Tls("NATS") else None


def of_database(settings: Settings) -> Tls | None:
    """Return the certificates for a PostgreSQL of one's own; None where its URL alone tells."""
    if settings.database_url is None:
        return None
    tls = Tls(
        "DATABASE",
        settings.database_tls_ca,
        settings.database_tls_cert,
        settings.database_tls_key,
        settings.database_tls_name,
    )
    return tls if tls != Tls("DATABASE") else None
