"""A small sensitive value inside a fact, which nobody can read once the key of its subject is gone."""

from pydantic import Field

from schemas.base import Frozen

SUBJECT = r"^[a-z][a-z0-9_]{0,79}/[A-Za-z0-9_-]{1,80}$"


class Sealed(Frozen):
    """Sealed text. `sealed_for` is the subject whose key opens it, `body` base64 of what was sealed."""

    sealed_for: str = Field(pattern=SUBJECT)
    body: str = Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$")
