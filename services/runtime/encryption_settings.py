"""The settings of what is encrypted: connections to servers of one's own, and content under the secret.

A connection is encrypted when its URL asks for it (`tls://`, `sslmode=`) or any of its TLS settings is set;
with one of those the server must also prove who it is.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from schemas.base import Frozen
from services.runtime.setting_field import named

TLS_PARTS = ("CA", "CERT", "KEY", "NAME")
UNPROVEN = ("disable", "allow", "prefer")


def _readable(path: Path) -> Path:
    if not (path.is_absolute() and path.is_file() and os.access(path, os.R_OK)):
        raise ValueError
    return path


ReadableFile = Annotated[Path, AfterValidator(_readable)]
FILE = "the absolute path of a readable PEM file"
HOST = "a host name or an address"


class EncryptionSettings(Frozen):
    """What `Settings` holds of certificates, and of the secret before the present one."""

    nats_tls_ca: ReadableFile | None = named(
        "NATS_TLS_CA", "Certificates that NATS's own must come from", FILE, default=None
    )
    nats_tls_cert: ReadableFile | None = named(
        "NATS_TLS_CERT", "Certificate shown to NATS, with NATS_TLS_KEY", FILE, default=None
    )
    nats_tls_key: ReadableFile | None = named("NATS_TLS_KEY", "Key of that certificate", FILE, default=None)
    nats_tls_name: str | None = named(
        "NATS_TLS_NAME", "Name in NATS's certificate, where NATS_URL has another", HOST, default=None
    )
    database_tls_ca: ReadableFile | None = named(
        "DATABASE_TLS_CA", "Certificates that PostgreSQL's own must come from", FILE, default=None
    )
    database_tls_cert: ReadableFile | None = named(
        "DATABASE_TLS_CERT", "Certificate shown to PostgreSQL, with DATABASE_TLS_KEY", FILE, default=None
    )
    database_tls_key: ReadableFile | None = named(
        "DATABASE_TLS_KEY", "Key of that certificate", FILE, default=None
    )
    database_tls_name: str | None = named(
        "DATABASE_TLS_NAME",
        "Name in PostgreSQL's certificate, where DATABASE_URL has another",
        HOST,
        default=None,
    )
    secret_key_base_old: Annotated[SecretStr, Field(min_length=32)] | None = named(
        "SECRET_KEY_BASE_OLD",
        "The SECRET_KEY_BASE before, until `aps keys rotate` has ended",
        "at least 32 characters",
        default=None,
    )


def contradictions(given: Mapping[str, str]) -> list[str]:
    """Return what does not go together, one line each."""
    wrong = [*_halves(given, "NATS"), *_halves(given, "DATABASE")]
    if _tls(given, "NATS") and "ws://" in given.get("NATS_URL", ""):
        wrong.append("NATS_URL is not encrypted, but NATS_TLS settings are given: give tls:// or wss://")
    mode = parse_qs(urlsplit(given.get("DATABASE_URL", "")).query).get("sslmode", [""])[-1]
    if _tls(given, "DATABASE") and mode in UNPROVEN:
        wrong.append(f"DATABASE_URL has sslmode={mode}, but DATABASE_TLS settings are given: leave one out")
    former = given.get("SECRET_KEY_BASE_OLD")
    if former and former == given.get("SECRET_KEY_BASE"):
        wrong.append("SECRET_KEY_BASE_OLD is SECRET_KEY_BASE itself: leave it out")
    return wrong


def _tls(given: Mapping[str, str], server: str) -> bool:
    return any(f"{server}_TLS_{part}" in given for part in TLS_PARTS)


def _halves(given: Mapping[str, str], server: str) -> list[str]:
    pair = (f"{server}_TLS_CERT", f"{server}_TLS_KEY")
    present = [name for name in pair if name in given]
    return [f"{present[0]} is set alone: give {pair[0]} and {pair[1]}"] if len(present) == 1 else []
