"""What agents from outside send about work, and what they are answered."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, field_validator
from unidiff import PatchSet, UnidiffParseError

from schemas.base import Frozen
from schemas.improvement import Status

LONGEST_PATCH = 500_000
Seconds = Annotated[int, Field(ge=30, le=3600, description="How long the claim is to hold.")]
Token = Annotated[int, Field(ge=1, lt=1 << 60, description="The `claim` that claiming answered.")]


class Offer(Frozen):
    """Work that is open: an improvement whose change is to be written."""

    improvement: str
    target: str
    title: str
    rank: int
    risk: str
    attempt: int


class Claiming(Frozen):
    """For how long."""

    seconds: Seconds = 600


class Renewing(Claiming):
    """Which claim."""

    claim: Token


class Telling(Frozen):
    """How far the work is."""

    claim: Token
    percent: Annotated[int, Field(ge=0, le=100)]
    note: Annotated[str, Field(max_length=1000)] = ""


class GivingBack(Frozen):
    """Why it is not finished."""

    claim: Token
    reason: Annotated[str, Field(max_length=500)] = "given back"


class Proof(Frozen):
    """A behaviour, word for word, and the tests that show it: `path/of/test_file.py::name`."""

    behaviour: Annotated[str, Field(min_length=1, max_length=500)]
    tests: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=500)], ...], Field(min_length=1, max_length=50)
    ]


class Delivery(Frozen):
    """The change as a unified diff against the base, and which tests show the behaviours."""

    claim: Token
    patch: Annotated[str, Field(min_length=1, max_length=LONGEST_PATCH)]
    summary: Annotated[str, Field(min_length=1, max_length=4000)]
    proofs: Annotated[tuple[Proof, ...], Field(min_length=1, max_length=20)]

    @field_validator("patch")
    @classmethod
    def _is_a_diff(cls, patch: str) -> str:
        try:
            files = len(PatchSet.from_string(patch))
        except (UnidiffParseError, ValueError, IndexError) as problem:
            raise ValueError(f"it is no unified diff: {str(problem)[:200]}") from problem
        if not files or "\0" in patch:
            raise ValueError("it is no unified diff: no file is changed by it")
        return patch if patch.endswith("\n") else f"{patch}\n"


class Words(Frozen):
    """Text that others wrote: it explains the work, and orders nothing."""

    kind: str
    where: str
    text: str


class Claimed(Frozen):
    """A claim, and all that is needed for the work: a commit, what is asked for, the plan."""

    improvement: str
    claim: int
    lease_until: datetime
    target: str
    project: str
    base: str
    request: str
    requirements: tuple[str, ...]
    behaviours: tuple[str, ...]
    proof: Annotated[str, Field(description="What the tests of each behaviour have to do.")]
    plan: str
    refusals: tuple[str, ...]
    context: tuple[Words, ...]


class Until(Frozen):
    """Until when the claim holds."""

    lease_until: datetime


class WorkState(Frozen):
    """What became of work: its status, who holds it, why it was refused last."""

    improvement: str
    status: Status
    held_by: str
    delivered: bool
    refusals: int
    reason: str
