"""Tells whether a delivery was signed by who shares a secret with us. Pure, and in constant time.

Rules
1. A secret may have one before it: either counts, and it is told which.
2. What is signed is the bytes as they came; nothing is read before they are found to be signed.
3. Where the time is signed too, it is ours to within `TOLERANCE`: what was overheard is not sent again later.
4. Why something is not signed is told in one of few sentences, none of which repeats what was sent.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

TOLERANCE = timedelta(minutes=5)
MOST_SIGNATURES = 16
NOT_SIGNED = "it is not signed"
OTHER_FORM = "its signature is in no form that is known"
NOT_OURS = "its signature was made with no secret that is in use"
TOO_OLD = "it was signed too long ago"
TOO_NEW = "it was signed at a time that has not come"
_hex = re.compile(r"sha256=([0-9a-fA-F]{64})")
_seconds = re.compile(r"[0-9]{1,12}")


class NotSigned(Exception):  # noqa: N818 -- what was found
    """Nobody who shares a secret with us signed it."""


def by_digest(secrets: Sequence[bytes], body: bytes, signature: str) -> int:
    """Return which secret signed a body as GitHub signs, 0 for the present one. Raises `NotSigned`."""
    if not signature:
        raise NotSigned(NOT_SIGNED)
    found = _hex.fullmatch(signature.strip())
    if found is None:
        raise NotSigned(OTHER_FORM)
    return _which(secrets, body, [bytes.fromhex(found[1])])


def by_standard(
    secrets: Sequence[bytes], body: bytes, id: str, timestamp: str, signatures: str, now: datetime
) -> int:
    """Return which secret signed a message by Standard Webhooks, 0 for the present one.

    Raises `NotSigned`.
    """
    if not (id and timestamp and signatures):
        raise NotSigned(NOT_SIGNED)
    if not _seconds.fullmatch(timestamp):
        raise NotSigned(OTHER_FORM)
    given = [one[3:] for one in signatures.split(" ")[:MOST_SIGNATURES] if one.startswith("v1,")]
    try:
        digests = [base64.b64decode(one, validate=True) for one in given]
    except ValueError as broken:
        raise NotSigned(OTHER_FORM) from broken
    if not digests:
        raise NotSigned(OTHER_FORM)
    found = _which(secrets, f"{id}.{timestamp}.".encode() + body, digests)
    age = now.timestamp() - int(timestamp)
    if abs(age) > TOLERANCE.total_seconds():
        raise NotSigned(TOO_OLD if age > 0 else TOO_NEW)
    return found


def _which(secrets: Sequence[bytes], content: bytes, digests: Sequence[bytes]) -> int:
    for number, secret in enumerate(secrets):
        right = hmac.digest(secret, content, "sha256")
        if any(hmac.compare_digest(right, digest) for digest in digests):
            return number
    raise NotSigned(NOT_OURS)
