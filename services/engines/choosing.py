"""Which engines a role asks for a task: a policy in one line of settings.

    claude_code,openai_compatible,developer=claude_code:opus,pm.requirements=openai_compatible

Rules
1. The most particular part decides: `role.task`, else `role`, else the parts without a name.
2. Several parts of one name are asked in the order they stand in.
3. A name that nobody knows is a mistake; an engine that is not set up is passed over by who asks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

ENGINES = ("claude_code", "openai_compatible")
AUTO = "auto"  # whichever the policy says
RECORDED = "recorded"  # what the log holds; where work is repeated
ROLES = ("pm", "architect", "developer", "qa", "devops", "cli")
_PART = re.compile(
    r"(?:(?P<whom>[a-z]+(?:\.[a-z_]+)?)=)?(?P<engine>[a-z_]+)(?::(?P<model>[^\s:,=][^\s,=]*))?"
)


class WrongPolicy(ValueError):  # noqa: N818 -- says what is wrong with it
    """A policy that cannot be followed; the message names the part."""


@dataclass(frozen=True)
class Wanted:
    """One part of a policy: for `whom` (empty: everybody), which engine with which model."""

    whom: str
    engine: str
    model: str


def policy_of(text: str) -> tuple[Wanted, ...]:
    """Read a policy. Raises `WrongPolicy`."""
    wanted = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        match = _PART.fullmatch(part)
        if match is None:
            raise WrongPolicy(f"{part!r} is not ENGINE, ENGINE:MODEL or ROLE[.TASK]=ENGINE[:MODEL]")
        whom, engine = match["whom"] or "", match["engine"]
        if engine not in ENGINES:
            raise WrongPolicy(f"there is no engine {engine!r}; there are: {', '.join(ENGINES)}")
        if whom and whom.partition(".")[0] not in ROLES:
            raise WrongPolicy(
                f"no role {whom.partition('.')[0]!r} asks engines; those do: {', '.join(ROLES)}"
            )
        wanted.append(Wanted(whom, engine, match["model"] or ""))
    return tuple(wanted)


def wanted_for(policy: Sequence[Wanted], role: str, task: str, only: str = "") -> tuple[Wanted, ...]:
    """Return what `role` wants for `task`, in order; with `only` (not `AUTO`), of that engine alone."""
    names = (f"{role}.{task}", role, "")
    mine = next((found for name in names if (found := [one for one in policy if one.whom == name])), [])
    if only not in ("", AUTO):
        mine = [one for one in mine if one.engine == only] or [Wanted("", only, "")]
    return tuple(mine)
