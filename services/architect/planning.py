"""Has an engine plan what was asked for, and says how much the plan touches."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from events.envelope import Cause
from events.improvement_facts import Discovered, RequirementsSpecified
from schemas.base import Frozen
from schemas.improvement import Component, Declared
from schemas.risk import RiskClass
from services.architect.graph import ImportGraph
from services.architect.naming import InTree, Place, parted
from services.asking.consulting import Consultant, Errand
from services.asking.context import in_prompt
from services.gates.machinery import is_machinery
from services.prompting.material import Material, material
from services.prompting.template import Template

PLAN = Template.load(
    "services.architect",
    "plan",
    takes=("title", "base", "packages", "request", "context", "requirements", "imports", "migrations"),
)
IMPORTS_CHARACTERS = 20_000
WRITTEN = "An engine writes it: a person has not seen how."


class Step(Frozen):
    """One step of a plan, and the files it touches."""

    what: str = Field(min_length=1, max_length=2000)
    files: tuple[InTree, ...] = Field(default=(), max_length=50)


class Plan(Frozen):
    """How a change is to be made, and why so."""

    summary: str = Field(min_length=1, max_length=4000)
    steps: tuple[Step, ...] = Field(min_length=1, max_length=40)
    changes: tuple[InTree, ...] = Field(default=(), max_length=100)
    creates: tuple[InTree, ...] = Field(default=(), max_length=100)
    sketch: str = Field(default="", max_length=8000)
    decision: str = Field(min_length=1, max_length=8000)
    risks: tuple[str, ...] = Field(default=(), max_length=20)
    removes: tuple[Place, ...] = Field(default=(), max_length=20)
    irreversible: tuple[InTree, ...] = Field(default=(), max_length=5)
    suspicions: tuple[str, ...] = Field(default=(), max_length=20)

    @property
    def declared(self) -> Declared:
        """What it says that the change takes away."""
        return Declared(removes=self.removes, irreversible=self.irreversible)

    def of(self, tree: Path) -> "Plan":
        """Return it with what is there among `changes`, and what is not among `creates`."""
        changes, creates = parted(tree, (*self.changes, *self.creates))
        return self.model_copy(update={"changes": changes, "creates": creates})


async def planned(
    consultant: Consultant,
    id: str,
    title: str,
    found: Discovered,
    requirements: RequirementsSpecified,
    graph: ImportGraph,
    packages: Sequence[str],
    tree: Path,
    migrations: str,
    only: str,
    context: Sequence[Material],
    cause: Cause,
) -> Plan:
    """Return the plan of a request, of the engine `only` where one is named. Raises `NotAnswered`.

    `migrations` says how the project migrates its database.
    """
    imports = "\n".join(f"{module}: {', '.join(known)}" for module, known in sorted(graph.imports.items()))
    told = "\n".join(f"{one.id}: {one.text}" for one in requirements.requirements)
    project = material("title", "project", title)
    request = material("request", "a person", found.why)
    holds = material("requirements", "PM", told)
    known = material("imports", "repository", imports or graph.note, IMPORTS_CHARACTERS)
    migrated = material("migrations", "repository", migrations)
    prompt = PLAN.filled(
        title=project.fenced,
        base=found.base[:12],
        packages=", ".join(packages),
        request=request.fenced,
        context=in_prompt(context),
        requirements=holds.fenced,
        imports=known.fenced,
        migrations=migrated.fenced,
    )
    read = (project, request, *context, holds, known, migrated)
    errand = Errand("plan", PLAN, prompt, tree, inputs=found.base, only=only, materials=read)
    return (await consultant.ask(errand, Plan, id, cause)).value.of(tree)


def risk_of(plan: Plan, parts: Sequence[Component], suite: str) -> tuple[RiskClass, tuple[str, ...]]:
    """Return the class of a planned change and its reasons; `suite` says why it proves nothing, if so."""
    machinery = [path for path in (*plan.changes, *plan.creates) if is_machinery(path)]
    if suite:
        return RiskClass.HIGH, (f"The suite proves nothing: {suite}.", WRITTEN)
    if machinery:
        return RiskClass.HIGH, (
            f"It touches how the project is built or checked: {', '.join(machinery)}.",
            WRITTEN,
        )
    if taken := taken_away(plan.declared):
        return RiskClass.HIGH, (*taken, WRITTEN)
    fan_in = max((part.fan_in for part in parts if part.touched), default=0)
    return RiskClass.MEDIUM, (WRITTEN, f"{fan_in} modules import what is touched.")


def taken_away(declared: Declared) -> tuple[str, ...]:
    """Say what a plan declares to take away, a sentence for each kind."""
    said = []
    if declared.removes:
        said.append(f"Log lines, raised errors or checks go from {', '.join(declared.removes)}.")
    if declared.irreversible:
        said.append(f"It cannot be taken back by {', '.join(declared.irreversible)}.")
    return tuple(said)


def plan_record(id: str, found: Discovered, plan: Plan, risk: RiskClass, reasons: Sequence[str]) -> str:
    """Return the plan as the architecture decision record of the change (Markdown)."""
    steps = "\n".join(
        f"{n}. {step.what}" + (f" ({', '.join(step.files)})" if step.files else "")
        for n, step in enumerate(plan.steps, start=1)
    )
    risks = "\n".join(f"- {one}" for one in (*plan.risks, *reasons))
    sketch = f"\n```python\n{plan.sketch.replace('```', chr(39) * 3)}\n```\n" if plan.sketch else ""
    return f"""# {found.title}

Improvement {id} of {found.target} at {found.base}. Risk: {risk.value}.

## Context

{found.why}

{plan.summary}

## Decision

{plan.decision}

{steps}
{sketch}
## Consequences

{risks}
- It stands or falls as a whole; taking it back is one command.
"""
