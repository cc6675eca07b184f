"""The key that signs the log's heads, and the public keys whose heads count.

Rules
1. With SECRET_KEY_BASE the key follows from it: every service with the same secret signs alike.
2. Without it a key is made once, in the data folder, for its owner alone: with the first signed head of a
   log, by a restore that brings none, or by a person (`signing_key`). Everybody else only looks: `own_key`.
   A fork has a key of its own either way: its log is another, and must never pass for the original's.
3. Heads of other keys count where APS_TRUSTED_KEYS names them, or a restored backup brought them.
"""

import os
import secrets
from collections.abc import Collection
from pathlib import Path

from events.evidence.heads import SEED_BYTES, Head, NoKey, PublicKey, SigningKey
from services.runtime.data_folder import DataFolder, make_folder, write_durably
from services.runtime.settings import Settings

FILE = "heads.ed25519"
TRUSTED = "heads.trusted"
PUBLIC_PART = "what `aps events key` printed then, or `public` in the first line of an export or backup"


class UnusableKey(Exception):  # noqa: N818 -- says what is wrong with the file
    """A file that should hold a key holds none; the message says which."""


def signing_key(settings: Settings) -> SigningKey:
    """Return the key of this system, made where there is none. Raises `UnusableKey`."""
    if found := own_key(settings):
        return found
    file = key_file(settings.home)
    make_folder(file.parent, 0o700)
    _make(file)
    return _read(file)


def own_key(settings: Settings) -> SigningKey | None:
    """Return the key of this system; None where it is not there. Raises `UnusableKey`."""
    if settings.secret_key_base is not None:
        secret = settings.secret_key_base.get_secret_value()
        return SigningKey.derived(f"{secret} in the fork {settings.fork}" if settings.fork else secret)
    file = key_file(settings.home)
    return _read(file) if file.exists() else None


def _read(file: Path) -> SigningKey:
    try:
        return SigningKey(bytes.fromhex(file.read_text("ascii").strip()))
    except ValueError as problem:
        raise UnusableKey(
            f"{file} holds no key: 64 hexadecimal digits. Put back what it held, or remove it to sign with"
            " a new key"
        ) from problem


def _make(file: Path) -> None:
    """Make a key; of two who do so at once, the first one's stays."""
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    write_durably(fresh, secrets.token_hex(SEED_BYTES))
    try:
        os.link(fresh, file)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def key_file(home: Path) -> Path:
    """Return where a key without SECRET_KEY_BASE is kept."""
    return DataFolder(home).keys / FILE


def origin(settings: Settings) -> str:
    """Say where the key comes from."""
    return str(key_file(settings.home)) if settings.secret_key_base is None else "SECRET_KEY_BASE"


def earlier_keys(settings: Settings) -> tuple[PublicKey, ...]:
    """Return the public keys that count besides this system's own."""
    named = [text for text in settings.trusted_keys.split(",") if text]
    file = _trusted_file(settings.home)
    kept = file.read_text("ascii").split() if file.exists() else []
    try:
        return tuple(PublicKey(text) for text in dict.fromkeys([*named, *kept]))
    except NoKey as problem:
        raise UnusableKey(f"{file}: {problem}") from problem


def trusted_keys(settings: Settings) -> tuple[PublicKey, ...]:
    """Return every public key whose heads count; nothing is made for it."""
    own = own_key(settings)
    return (*([own.public] if own else []), *earlier_keys(settings))


def lost(settings: Settings, heads: Collection[Head]) -> str:
    """Say that the key is gone that signed these heads, and the ways on."""
    named = ", ".join(sorted({head.key for head in heads}))
    last = max(head.seq for head in heads)
    return (
        f"the key {named}, which signed heads up to sequence {last}, is not there, and no SECRET_KEY_BASE is"
        f" set. {cure_of_trust(settings, named)}"
    )


def cure_of_trust(settings: Settings, key: str) -> str:
    """Say how heads signed with `key`, which counts for nothing here, come to count."""
    public = f"PUB is the public part of key {key}: {PUBLIC_PART}"
    if own_key(settings) is not None:
        return (
            f"Let them count: aps events key --trust PUB ({public}). Or give this system that key again, from"
            f" {origin(settings)} as it was"
        )
    return (
        f"Put {key_file(settings.home)} back from a backup of the data folder, or give the SECRET_KEY_BASE."
        f" Where it is lost for good, make another: aps events key --new --trust PUB ({public})"
    )


def trust(home: Path, key: PublicKey) -> None:
    """Let the heads of a key count from now on, in this data folder."""
    file = _trusted_file(home)
    make_folder(file.parent, 0o700)
    kept = file.read_text("ascii").split() if file.exists() else []
    if key.text not in kept:
        write_durably(file, "".join(f"{text}\n" for text in (*kept, key.text)))


def _trusted_file(home: Path) -> Path:
    return DataFolder(home).keys / TRUSTED
