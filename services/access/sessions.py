"""Sessions: what a browser carries in place of a token, signed, for some hours.

A session names a token and is worth as much: revoking the token ends it. Nothing is kept of it here.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

LIFETIME = timedelta(hours=12)
COOKIE = "aps_session"
NONCE_BYTES = 18
LONGEST_TEXT = 256


@dataclass(frozen=True)
class Session:
    """Whose token it stands for, until when, and a nonce that no other session has."""

    token: str
    expires: int
    nonce: str


@dataclass(frozen=True)
class Signer:
    """Signs sessions, and derives from each the value that its forms must carry."""

    key: bytes

    def open(self, token: str, now: datetime) -> str:
        """Return a new session of a token, as a cookie carries it."""
        session = Session(token, int((now + LIFETIME).timestamp()), secrets.token_urlsafe(NONCE_BYTES))
        body = f"{session.token}.{session.expires}.{session.nonce}"
        return f"{body}.{self._signed('session', body)}"

    def read(self, text: str, now: datetime) -> Session | None:
        """Return a session that we signed and that has not run out; None for anything else."""
        body, _, signature = text.rpartition(".") if len(text) <= LONGEST_TEXT else ("", "", "")
        if not text.isascii() or not hmac.compare_digest(signature, self._signed("session", body)):
            return None
        token, expires, nonce = body.split(".")
        session = Session(token, int(expires), nonce)
        return session if now.timestamp() < session.expires else None

    def form_key(self, session: Session) -> str:
        """Return what a form of this session must carry: another site can send the cookie, but not this."""
        return self._signed("form", session.nonce)

    def _signed(self, purpose: str, text: str) -> str:
        digest = hmac.digest(self.key, f"{purpose}:{text}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
