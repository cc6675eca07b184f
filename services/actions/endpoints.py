"""Endpoints of an HTTP interface as resources to document, read from its OpenAPI document."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.actions.documenting import Part, Resource
from services.actions.resources import parts_of, type_in_words

Json = Mapping[str, Any]
METHODS = ("get", "put", "post", "delete", "patch", "head")


def endpoints(document: Json) -> tuple[str, ...]:
    """Return the name of every endpoint, such as `GET /api/health`."""
    return tuple(
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
        if method in METHODS
    )


def of_endpoint(document: Json, name: str) -> Resource:
    """Return an endpoint by its name. Raises KeyError for one there is not."""
    method, path = name.split(" ", 1)
    operation = document["paths"][path][method.lower()]
    answers: dict[str, Json] = operation.get("responses", {})
    good = next((answer for status, answer in answers.items() if status.startswith("2")), {})
    return Resource(
        kind="endpoint",
        name=name,
        purpose=". ".join(
            filter(None, (operation.get("summary", "").rstrip("."), operation.get("description")))
        ),
        parts=(
            *_parameters(operation.get("parameters", ())),
            *_content(document, operation.get("requestBody", {}), "body"),
            *_content(document, good, "answer"),
        ),
        notes=tuple(f"It answers {status}: {answer['description']}" for status, answer in answers.items()),
    )


def _parameters(parameters: Sequence[Json]) -> Iterator[Part]:
    for one in parameters:
        says = str(one.get("description") or one.get("schema", {}).get("description", ""))
        kind = type_in_words(one.get("schema", {}))
        yield Part(
            name=f"{one['in']}.{one['name']}", type=kind, required=one.get("required", False), says=says
        )


def _content(document: Json, holder: Json, name: str) -> Iterator[Part]:
    """Return the fields of what is sent or answered as JSON, below `name`; of a list, those of its items."""
    schema = _followed(document, holder.get("content", {}).get("application/json", {}).get("schema", {}))
    if schema.get("type") == "array":
        name, schema = f"{name}[]", _followed(document, schema.get("items", {}))
    for part in parts_of(schema):
        yield part.model_copy(update={"name": f"{name}.{part.name}"})


def _followed(document: Json, schema: Json) -> Json:
    """Return the schema that a reference names, where it is one."""
    while reference := schema.get("$ref"):
        schema = document["components"]["schemas"][str(reference).rpartition("/")[2]]
    return schema
