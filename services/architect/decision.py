"""Writes the architecture decision record of a change above the lowest risk."""

from collections.abc import Sequence

from events.improvement_facts import Discovered
from schemas.improvement import Component
from schemas.risk import RiskClass


def decision_record(
    id: str,
    discovered: Discovered,
    risk: RiskClass,
    reasons: Sequence[str],
    parts: Sequence[Component],
) -> str:
    """Return the record as Markdown: context, decision, consequences."""
    touched = "\n".join(f"- `{p.module}` (imported by {p.fan_in})" for p in parts if p.touched)
    why = "\n".join(f"- {reason}" for reason in reasons)
    return f"""# {discovered.title} ({discovered.rule})

Improvement {id} of {discovered.target} at {discovered.base}. Risk: {risk.value}.

## Context

{discovered.why} {discovered.expected} findings in {len(discovered.files)} files. Touched modules:

{touched}

## Decision

The fix of {discovered.rule} is applied by the tool that found it, site by site where it has to be, because
the same recipe can be repeated on any later state of the source and taken back exactly. Writing it by
hand was not considered better: there is nothing to design beyond the rewrite.

## Consequences

{why}
- Where the suite shows harm, the part that does it is left out and the rest stays.
- Taking the change back is one command.
"""
