"""The cryptography of sealed content: what protects what, and nothing about where it is kept.

Rules
1. Each subject (`run/…`) has one random data key. Content is sealed under it by AES-256-GCM with a random
   nonce; subject, media type and key id are authenticated, so that sealed content cannot pass for another's.
2. A data key is kept wrapped, by AES-256-GCM again, under a root derived from the secret by HKDF-SHA-256.
   Subject, key id and root id are authenticated.
3. A root's id is derived from the secret too, under another label. It tells whether a secret is the one that
   keys were wrapped with, and nothing about the secret.
4. What is sealed cannot be made shorter afterwards, so it is before, by Zstandard (RFC 8878), where that
   gains anything; the first bytes tell which, and are authenticated as well.
5. No key shows in the form of a value that is printed or logged. Nonces arrive as arguments.
"""

import re
import threading
from dataclasses import dataclass, field

import orjson
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
KEY_ID_BYTES = 16
NONCE_BYTES = 12  # what GCM is made for; at random it serves one key for some four thousand million messages
WHOLE = b"aps-sealed-1\n"
SHORTENED = b"aps-sealed-2\n"
FORM_BYTES = len(WHOLE)
HEADER_BYTES = FORM_BYTES + KEY_ID_BYTES + NONCE_BYTES
LABELS = {WHOLE: "content", SHORTENED: "content, by zstd"}
SHORTENING_LEVEL = (
    1  # the quickest that does all of its work: the next gains a fiftieth, at a third more time
)
ROOT_LABEL = b"aps vault root v1"
ROOT_ID_LABEL = b"aps vault root id v1"
SUBJECT = re.compile(r"[a-z][a-z0-9_]{0,79}/[A-Za-z0-9_-]{1,80}")


class Unopened(Exception):  # noqa: N818 -- what happened
    """Sealed bytes do not open: they were altered, or belong to another subject, media type or key."""


@dataclass(frozen=True)
class Root:
    """The key that wraps data keys. `id` may be shown."""

    id: str
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class DataKey:
    """The key of one subject. `id` may be shown."""

    subject: str
    id: str
    key: bytes = field(repr=False)


def checked_subject(subject: str) -> str:
    """Return `subject`; ValueError unless it is `<aggregate>/<id>` as events have it."""
    if not SUBJECT.fullmatch(subject):
        raise ValueError(f"{subject!r} is no subject: give <aggregate>/<id>, such as run/3f9a")
    return subject


class _Shortening(threading.local):
    """A compressor for each thread: to make one costs as much as to use it."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=SHORTENING_LEVEL)


_shortening = _Shortening()


def root_of(secret: str) -> Root:
    """Derive the root of a secret, which must itself be hard to guess: this is no password hash."""
    material = secret.encode()
    return Root(
        _derived(material, ROOT_ID_LABEL, KEY_ID_BYTES).hex(), _derived(material, ROOT_LABEL, KEY_BYTES)
    )


def _derived(material: bytes, label: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=label).derive(material)


def seal(key: DataKey, media_type: str, content: bytes, nonce: bytes) -> bytes:
    """Return `content` sealed; it names the key it needs. Never give the same nonce twice for a key."""
    short = _shortening.compressor.compress(content)
    form, kept = (SHORTENED, short) if len(short) < len(content) else (WHOLE, content)
    body = AESGCM(key.key).encrypt(nonce, kept, _of_content(key, media_type, form))
    return form + bytes.fromhex(key.id) + nonce + body


def unseal(key: DataKey, media_type: str, sealed: bytes) -> bytes:
    """Return what was sealed. Raises `Unopened`."""
    if key_of(sealed) != key.id:
        raise Unopened(f"it was sealed under another key of {key.subject}")
    form, nonce = sealed[:FORM_BYTES], sealed[HEADER_BYTES - NONCE_BYTES : HEADER_BYTES]
    try:
        kept = AESGCM(key.key).decrypt(nonce, sealed[HEADER_BYTES:], _of_content(key, media_type, form))
    except InvalidTag:
        told = f"it was altered, or is not of {key.subject} as {media_type}"
        raise Unopened(told) from None
    return zstandard.decompress(kept) if form == SHORTENED else kept


def key_of(sealed: bytes) -> str:
    """Return the id of the key that sealed content needs. Raises `Unopened` for anything else."""
    if sealed[:FORM_BYTES] not in LABELS or len(sealed) < HEADER_BYTES:
        raise Unopened("it is not sealed content")
    return sealed[FORM_BYTES : FORM_BYTES + KEY_ID_BYTES].hex()


def wrap(root: Root, key: DataKey, nonce: bytes) -> bytes:
    """Return a data key wrapped under `root`, its nonce before it."""
    return nonce + AESGCM(root.key).encrypt(nonce, key.key, _of_key(root, key.subject, key.id))


def unwrap(root: Root, subject: str, id: str, wrapped: bytes) -> DataKey:
    """Return the data key that was wrapped under `root`. Raises `Unopened`."""
    nonce, body = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
    try:
        return DataKey(subject, id, AESGCM(root.key).decrypt(nonce, body, _of_key(root, subject, id)))
    except (InvalidTag, ValueError):
        raise Unopened(f"the kept key of {subject} was altered") from None


def _of_content(key: DataKey, media_type: str, form: bytes) -> bytes:
    return orjson.dumps([LABELS[form], key.subject, media_type, key.id])


def _of_key(root: Root, subject: str, id: str) -> bytes:
    return orjson.dumps(["key", subject, id, root.id])
