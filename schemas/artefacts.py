"""References to content-addressed artefacts: the evidence that events point at."""

from pydantic import Field

from schemas.base import Frozen


class ArtefactRef(Frozen):
    """Names bytes kept in the artefact store.

    `sha256` is the lower-case hex digest of the content, `size` its length in bytes, `name` a file
    name for people (never used for look-up).
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)
    media_type: str
    name: str
