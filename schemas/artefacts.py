"""References to content-addressed artefacts: the evidence that events point at."""

from pydantic import Field

from schemas.base import Frozen
from schemas.sealed import SUBJECT


class ArtefactRef(Frozen):
    """Names bytes kept in the artefact store.

    `sha256` is the lower-case hex digest of the bytes kept, `size` their length, `name` a file name for
    people (never used for look-up). Where `sealed_for` names a subject, they are sealed under its key.
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)
    media_type: str
    name: str
    # Left out of events where it is not set, so that they are as they always were.
    sealed_for: str | None = Field(default=None, pattern=SUBJECT, exclude_if=lambda subject: subject is None)
