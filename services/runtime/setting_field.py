"""How a setting is described: its name outside, what it is for, what it allows."""

from typing import Any

from pydantic import Field


def named(name: str, says: str, allowed: str, **more: Any) -> Any:
    """Describe a setting: its name outside, what it is for, what it allows."""
    return Field(validation_alias=name, description=says, examples=[allowed], **more)
