"""The JSON schema a server holds an answer to, derived from the model that validates it.

Strict mode wants each object closed and all its fields required, no default, and only some of the keywords;
what it cannot express (a free mapping, a tuple of fixed parts) is sent without the strict sign. The model
itself decides in either case.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, JsonValue

Schema = dict[str, JsonValue]

_KEPT = frozenset({"type", "enum", "items", "properties", "anyOf", "$ref", "$defs", "description"})
_NOT_STRICT = frozenset({"prefixItems", "patternProperties", "propertyNames", "not", "if"})
_INSIDE = ("properties", "$defs")


@dataclass(frozen=True)
class AnswerSchema:
    """A schema under a name that servers accept; `strict` where it keeps to the strict mode's rules."""

    name: str
    schema: Schema
    strict: bool


def answer_schema(model: type[BaseModel]) -> AnswerSchema:
    """Derive the schema of a model."""
    whole = _rooted(model.model_json_schema())
    name = re.sub(r"[^A-Za-z0-9_-]", "_", model.__name__)[:64]
    if any(_is_loose(each) for each in _schemas(whole)):
        return AnswerSchema(name, whole, strict=False)
    return AnswerSchema(name, _strict(whole), strict=True)


def _rooted(schema: Schema) -> Schema:
    """Put an object at the root where a recursive model has a reference there."""
    target, known = schema.get("$ref"), schema.get("$defs")
    if isinstance(target, str) and isinstance(known, dict):
        root = known[target.rsplit("/", 1)[-1]]
        if isinstance(root, dict):
            return {**root, "$defs": known}
    return schema


def _schemas(schema: Schema) -> Iterator[Schema]:
    """Walk over a schema and all within it."""
    yield schema
    for key, value in schema.items():
        parts = value.values() if key in _INSIDE and isinstance(value, dict) else [value]
        for part in parts:
            for each in part if isinstance(part, list) else [part]:
                if isinstance(each, dict) and key not in {"default", "const", "enum", "discriminator"}:
                    yield from _schemas(each)


def _is_loose(schema: Schema) -> bool:
    """Whether strict mode cannot express it: a mapping of any keys, fixed places, or anything at all."""
    free = schema.get("type") == "object" and schema.get("additionalProperties") is not False
    return free or not schema.keys().isdisjoint(_NOT_STRICT) or not _says_something(schema)


def _says_something(schema: Schema) -> bool:
    return not schema.keys().isdisjoint({"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"})


def _strict(schema: Schema) -> Schema:
    """Say the same within the strict rules; what only the model can check is left to the model."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    kept = {key: _inner(key, value) for key, value in _renamed(schema).items() if key in _KEPT}
    properties = kept.get("properties")
    if schema.get("type") == "object":
        named = list(properties) if isinstance(properties, dict) else []
        kept |= {"properties": properties or {}, "required": [*named], "additionalProperties": False}
    return kept


def _renamed(schema: Schema) -> Mapping[str, JsonValue]:
    said = dict(schema)
    if "oneOf" in said:
        said["anyOf"] = said.pop("oneOf")
    if "const" in said:
        said["enum"] = [said.pop("const")]
    sole = said.get("allOf")
    if isinstance(sole, list) and len(sole) == 1 and isinstance(sole[0], dict):
        said |= sole[0]
    return said


def _inner(key: str, value: JsonValue) -> JsonValue:
    if key in _INSIDE and isinstance(value, dict):
        return {name: _strict(each) for name, each in value.items() if isinstance(each, dict)}
    if key == "items" and isinstance(value, dict):
        return _strict(value)
    if key == "anyOf" and isinstance(value, list):
        return [_strict(each) for each in value if isinstance(each, dict)]
    return value
