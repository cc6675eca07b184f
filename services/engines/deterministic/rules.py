"""The rules looked for, and what a reviewer is told about each."""

from pydantic import Field

from schemas.base import Frozen

DEFAULT_SELECT = ("F", "UP", "SIM", "C4", "PERF", "FURB", "B", "PIE", "RET", "RUF")


class RuleSet(Frozen):
    """Which rules are looked for in a target, and the oldest Python it supports (`py310`)."""

    select: tuple[str, ...] = DEFAULT_SELECT
    target_version: str = Field(default="py310", pattern=r"^py3\d+$")
