"""What can be documented, read from where it is defined: the schemas of events, and workflows."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from events.catalogue import AGGREGATES, FACTS, MAY_RECORD
from schemas.base import Frozen
from services.actions.documenting import Part, Resource
from services.actions.observing import Observed, observed
from services.documents.event_schemas import fact_schema

Json = Mapping[str, Any]


class Step(Frozen):
    """A step of a workflow, and the steps it waits for."""

    name: str
    does: str
    after: tuple[str, ...] = ()


class Workflow(Frozen):
    """A workflow as it is described: what starts it, and its steps."""

    name: str
    purpose: str
    starts: str
    steps: tuple[Step, ...]


def event_types() -> tuple[str, ...]:
    """Return every type of event that is written today, such as `aps.improvement.discovered.v1`."""
    return tuple(FACTS)


def type_of(named: str) -> str | None:
    """Return the type of event that a person names, with or without `aps.` and the version; None for none."""
    for kind in event_types():
        unversioned = kind.rpartition(".")[0]
        if named in (kind, unversioned, kind.removeprefix("aps."), unversioned.removeprefix("aps.")):
            return kind
    return None


def of_event(kind: str) -> Resource:
    """Return a type of event as it is recorded today. Raises KeyError for one there is not."""
    fact = FACTS[kind]
    schema = fact_schema(fact)
    aggregate = kind.split(".")[1]
    writers = [user for user, may in MAY_RECORD.items() if fact in may.get(aggregate, ())]
    notes = (
        f"It is a fact of the aggregate `{aggregate}`, recorded in the past tense and never altered.",
        f"It may be recorded by: {', '.join(sorted(writers)) or 'nobody'}.",
        f"Facts of the same aggregate: {', '.join(f.name for f in AGGREGATES[aggregate].facts)}.",
    )
    return Resource(
        kind="event",
        name=kind,
        purpose=" ".join((fact.__doc__ or "").split()),
        parts=tuple(parts_of(schema)),
        notes=notes,
    )


def of_events(kind: str, data: Iterable[Mapping[str, JsonValue]]) -> Observed:
    """Return what was seen in the data of events of a type. Raises KeyError for one there is not."""
    schema = fact_schema(FACTS[kind])
    maps = [name for name, said in schema.get("properties", {}).items() if said.get("additionalProperties")]
    return observed(kind, data, schema.get("required", ()), maps)


def of_workflow(workflow: Workflow) -> Resource:
    """Return a workflow; its steps are what is documented."""
    return Resource(
        kind="workflow",
        name=workflow.name,
        purpose=workflow.purpose,
        parts=tuple(Part(name=s.name, type="step", required=True, says=s.does) for s in workflow.steps),
        notes=(
            f"It starts: {workflow.starts}",
            *(f"{s.name} waits for {', '.join(s.after)}" for s in workflow.steps if s.after),
        ),
    )


def parts_of(schema: Json) -> Iterator[Part]:
    """Give the fields that a schema of an object describes."""
    required = schema.get("required", ())
    for name, said in schema.get("properties", {}).items():
        words = str(said.get("description", ""))
        yield Part(name=name, type=type_in_words(said), required=name in required, says=words)


def type_in_words(schema: Json) -> str:
    """Return the type that a JSON schema describes, as a person says it."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return "one of " + ", ".join(map(str, values))
    if ways := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(type_in_words(way) for way in ways))
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {type_in_words(schema.get('items', {}))}"
    return "nothing" if kind == "null" else f"{kind} ({schema['format']})" if "format" in schema else kind
