"""The base of every shared model: immutable, and closed to fields it does not know."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: compared by content, hashable when its fields are, refused when a field is unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")
