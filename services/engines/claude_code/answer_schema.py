"""The JSON schema of an answer in the words that the program and its API both take.

The program checks schemas by draft 7 and refuses keywords it does not know; the API reads draft 2020-12. So
only what both mean the same by is said; the model itself judges the answer in the end.
"""

from collections.abc import Iterable
from functools import cache

import orjson
from pydantic import BaseModel, JsonValue

Schema = dict[str, JsonValue]
_ROOT = "#/$defs/"
_NOT_KNOWN = frozenset({"discriminator", "format", "contentMediaType", "contentEncoding", "deprecated"})
_BY_NAME = frozenset({"properties", "$defs", "patternProperties"})  # names of the model's own, not keywords
_VALUES = frozenset({"const", "default", "enum", "examples", "required"})


def answer_schema(model: type[BaseModel]) -> Schema:
    """Derive it from the model that validates the answer."""
    return _rooted(_plain(model.model_json_schema()))


@cache
def answer_schema_text(model: type[BaseModel]) -> str:
    """Return it as it is told to the program."""
    return orjson.dumps(answer_schema(model)).decode()


def _rooted(schema: Schema) -> Schema:
    """Put an object at the root where a recursive model has a reference there."""
    reference, definitions = schema.get("$ref"), schema.get("$defs")
    if not isinstance(reference, str) or not isinstance(definitions, dict):
        return schema
    own = definitions[reference.removeprefix(_ROOT)]
    return {**own, "$defs": definitions} if isinstance(own, dict) else schema


def _plain(schema: Schema) -> Schema:
    plain = dict(_keywords(schema.items()))
    parts = plain.pop("prefixItems", None)
    if isinstance(parts, list):  # a tuple: any of its parts at any place, as many as it has
        plain["items"] = {"anyOf": parts}
    return plain


def _keywords(items: Iterable[tuple[str, JsonValue]]) -> Iterable[tuple[str, JsonValue]]:
    for name, value in items:
        if name in _NOT_KNOWN:
            continue
        if name in _VALUES:
            yield name, value
        elif name in _BY_NAME and isinstance(value, dict):
            yield name, {own: _below(each) for own, each in value.items()}
        else:
            yield name, _below(value)


def _below(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return _plain(value)
    return [_below(each) for each in value] if isinstance(value, list) else value
