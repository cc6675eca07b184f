"""The schema a server is sent for the model of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, JsonValue

from schemas.base import Frozen
from services.engines.openai_compatible.answer_schema import answer_schema
from services.engines.openai_compatible.tools import ListFiles, ReadFile, ReplaceInFile, WriteFile


class Colour(StrEnum):
    RED = "red"


class Part(Frozen):
    kind: Literal["part"] = "part"
    name: Annotated[str, Field(min_length=1, max_length=9, pattern="^a")]


class Whole(Frozen):
    kind: Literal["whole"] = "whole"
    colour: Colour = Field(default=Colour.RED, description="of its paint")
    size: int | None = Field(default=None, ge=1, description="in metres")
    parts: tuple[Part, ...] = ()


class Either(Frozen):
    thing: Annotated[Part | Whole, Field(discriminator="kind")]
    properties: str = "a field of that name"


class Node(Frozen):
    name: str
    children: tuple[Node, ...] = ()


class Free(Frozen):
    words: dict[str, int]


class Pair(Frozen):
    pair: tuple[int, str]


class Anything(Frozen):
    value: JsonValue


class Open(BaseModel):
    name: str


STRICT = (Part, Whole, Either, Node, ListFiles, ReadFile, WriteFile, ReplaceInFile)
ALLOWED = {"type", "enum", "items", "properties", "anyOf", "$ref", "$defs", "description"}


def objects(schema: object) -> Iterator[Mapping[str, object]]:
    if isinstance(schema, Mapping):
        if schema.get("type") == "object":
            yield schema
        for each in schema.values():
            yield from objects(each)
    if isinstance(schema, list):
        for each in schema:
            yield from objects(each)


@pytest.mark.parametrize("model", STRICT)
def test_a_strict_schema_keeps_to_the_rules_of_strict_mode(model: type[BaseModel]) -> None:
    shape = answer_schema(model)
    assert shape.strict
    assert shape.schema["type"] == "object"
    Draft202012Validator.check_schema(shape.schema)
    for each in objects(shape.schema):
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])  # type: ignore[call-overload]  # a mapping of fields
        assert each.keys() <= ALLOWED | {"additionalProperties", "required"}
        for field in each["properties"].values():  # type: ignore[attr-defined]  # as above
            assert field.keys() & {"type", "enum", "anyOf", "$ref"}
            assert "$ref" not in field or field.keys() == {"$ref"}


@pytest.mark.parametrize("model", [Free, Pair, Anything, Open])
def test_what_strict_mode_cannot_say_is_sent_as_it_is(model: type[BaseModel]) -> None:
    shape = answer_schema(model)
    assert not shape.strict
    assert shape.schema == model.model_json_schema()


@pytest.mark.parametrize(
    "value",
    [
        Whole(size=3, parts=(Part(name="ab"),)),
        Whole(),
        Either(thing=Part(name="ab")),
        Node(name="a", children=(Node(name="b"),)),
    ],
)
def test_a_value_of_the_model_fits_its_schema(value: Frozen) -> None:
    Draft202012Validator(answer_schema(type(value)).schema).validate(value.model_dump(mode="json"))


def test_a_field_of_another_type_does_not_fit() -> None:
    schema = Draft202012Validator(answer_schema(Whole).schema)
    wrong: Mapping[str, JsonValue] = {"kind": "whole", "colour": "blue", "size": None, "parts": []}
    assert [error.json_path for error in schema.iter_errors(wrong)] == ["$.colour"]


def test_the_name_is_one_that_servers_accept() -> None:
    generic = type("Box[int]" + "x" * 100, (Frozen,), {})
    assert answer_schema(generic).name == ("Box_int_" + "x" * 100)[:64]
