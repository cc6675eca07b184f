"""The key that the gateway signs sessions with: it follows from the secret, the same for every copy."""

import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.runtime.secret import current_root
from services.runtime.settings import Settings

LABEL = b"aps gateway sessions v1"
KEY_BYTES = 32


def session_key(settings: Settings) -> bytes:
    """Return the key; without a secret one of this process alone, whose sessions end with it."""
    root = current_root(settings)
    material = root.key if root is not None else secrets.token_bytes(KEY_BYTES)
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=LABEL).derive(material)
