"""What was handed over with a request: text that others wrote, and where it comes from."""

from enum import StrEnum

from pydantic import Field

from schemas.artefacts import ArtefactRef
from schemas.base import Frozen


class ContextKind(StrEnum):
    """What kind of thing it is."""

    DOCUMENT = "document"
    ISSUE = "issue"
    COMMENT = "comment"
    WEBHOOK = "webhook"
    CHECK = "check"


class Context(Frozen):
    """A text that somebody else than the person wrote. It is never part of what was asked for.

    `where` is an address, a file's name, or the name of a web hook's field. `content` is sealed, so that it
    differs each time the same is handed over; `digest` tells whether it is the same.
    """

    kind: ContextKind
    where: str = Field(min_length=1, max_length=300)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    content: ArtefactRef
