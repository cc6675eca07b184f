"""The API for who writes programs: every operation with what it takes and answers, from the document."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from services.gateway.http.route import Call
from services.gateway.pages.rendering import page

REFERENCE = "#/components/schemas/"


@dataclass(frozen=True)
class Named:
    """A parameter or a field: its name, its type in words, whether it must be given, what it is."""

    name: str
    kind: str
    required: bool
    said: str
    place: str = ""


@dataclass(frozen=True)
class Answered:
    """One answer: its status, what it means, the type it has."""

    status: str
    said: str
    kind: str


@dataclass(frozen=True)
class Operation:
    """One operation as it is shown."""

    id: str
    method: str
    path: str
    summary: str
    needs: str
    parameters: tuple[Named, ...]
    body: str
    answers: tuple[Answered, ...]


@dataclass(frozen=True)
class Model:
    """One model: its fields, or the values that it may have."""

    name: str
    said: str
    fields: tuple[Named, ...]
    values: tuple[str, ...]


def operations(found: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Return the operations of a document by their part of the system."""
    by_tag: dict[str, list[Operation]] = {}
    for path, methods in found["paths"].items():
        for method, one in methods.items():
            by_tag.setdefault(one["tags"][0], []).append(_operation(method, path, one))
    return by_tag


def models(found: Mapping[str, Any]) -> tuple[Model, ...]:
    """Return the models of a document by name."""
    schemas: Mapping[str, Any] = found["components"]["schemas"]
    return tuple(
        Model(
            name=name,
            said=_first(schema.get("description", "")),
            fields=tuple(_fields(schema)),
            values=tuple(str(value) for value in schema.get("enum", ())),
        )
        for name, schema in sorted(schemas.items())
    )


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words: `string`, `list of Offer`, `number or null`."""
    if reference := schema.get("$ref"):
        return str(reference).removeprefix(REFERENCE)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(kind_of(one) for one in choices))
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return " or ".join(repr(one) for one in schema["enum"])
    return _plain_kind(schema)


def _plain_kind(schema: Mapping[str, Any]) -> str:
    match schema.get("type"):
        case "array":
            return f"list of {kind_of(schema.get('items', {}))}"
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return f"map of {kind_of(schema['additionalProperties'])}"
        case None:
            return "anything"
        case other:
            bounds = [f"{word} {schema[name]}" for name, word in BOUNDS.items() if name in schema]
            return ", ".join((str(schema.get("format", other)), *bounds))


BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "minLength": "characters at least",
    "maxLength": "characters at most",
}


def _operation(method: str, path: str, one: Mapping[str, Any]) -> Operation:
    body = one.get("requestBody", {}).get("content", {})
    return Operation(
        id=str(one["operationId"]),
        method=method.upper(),
        path=path,
        summary=str(one["summary"]),
        needs=str(one.get("description", "Open to everybody.")),
        parameters=tuple(_parameter(given) for given in one["parameters"]),
        body=_content(body),
        answers=tuple(
            Answered(status, str(answer["description"]), _content(answer.get("content", {})))
            for status, answer in one["responses"].items()
        ),
    )


def _parameter(given: Mapping[str, Any]) -> Named:
    schema: Mapping[str, Any] = given["schema"]
    said = str(schema.get("description", ""))
    return Named(given["name"], kind_of(schema), bool(given.get("required")), said, given["in"])


def _content(content: Mapping[str, Any]) -> str:
    return ", ".join(f"{kind_of(one['schema'])} ({media})" for media, one in content.items())


def _fields(schema: Mapping[str, Any]) -> Iterator[Named]:
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        yield Named(name, kind_of(one), name in required, str(one.get("description", "")))


def _first(text: str) -> str:
    return text.partition("\n\n")[0]


def described(call: Call, found: Mapping[str, Any]) -> web.StreamResponse:
    """Show what a document says."""
    version = found["info"]["version"]
    return page(call, "api.html", version=version, parts=operations(found), models=models(found))
