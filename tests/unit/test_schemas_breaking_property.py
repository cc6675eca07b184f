"""Where no breach is found, everything the old schema admitted is admitted by the new one."""

from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from services.documents.breaking import breaches

Json = dict[str, Any]
WORDS = ("a", "bb", "ccc")
NAMES = ("x", "y", "z")


def bounded(kind: str, low: str, high: str) -> st.SearchStrategy[Json]:
    bounds = st.fixed_dictionaries({}, optional={low: st.integers(0, 2), high: st.integers(2, 4)})
    return bounds.map(lambda found: {"type": kind, **found})


leaves = st.one_of(
    bounded("integer", "minimum", "maximum"),
    bounded("number", "minimum", "maximum"),
    bounded("string", "minLength", "maxLength"),
    st.sets(st.sampled_from(WORDS), min_size=1).map(lambda known: {"type": "string", "enum": sorted(known)}),
    st.sampled_from(WORDS).map(lambda word: {"type": "string", "const": word}),
    st.just({"type": "null"}),
    st.just({"type": "boolean"}),
    st.just({"type": ["integer", "null"]}),
)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Json]) -> Json:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), inner, max_size=3))
    required = draw(st.sets(st.sampled_from(NAMES))) & properties.keys()
    others: Any = draw(st.one_of(st.booleans(), inner)) if not properties else False
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(required),
        "additionalProperties": others,
    }


def around(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.one_of(
        objects(inner),
        inner.map(lambda schema: {"type": "array", "items": schema}),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
    )


schemas = st.recursive(leaves, around, max_leaves=5)


@st.composite
def changed(draw: st.DrawFn, schema: Json) -> Json:
    """The schema with some of its parts changed, so that old and new are often alike."""
    match draw(st.sampled_from(("inside", "inside", "inside", "or", "other", "same"))):
        case "inside" if "properties" in schema:
            properties = {name: draw(changed(part)) for name, part in schema["properties"].items()}
            if draw(st.booleans()):
                properties |= draw(st.dictionaries(st.sampled_from(NAMES), leaves, max_size=1))
            required = [name for name in schema["required"] if draw(st.booleans())]
            return {**schema, "properties": properties, "required": required}
        case "inside" if "items" in schema:
            return {**schema, "items": draw(changed(schema["items"]))}
        case "inside" if "anyOf" in schema:
            return {"anyOf": [draw(changed(part)) for part in schema["anyOf"]]}
        case "inside":
            return {name: part for name, part in schema.items() if name == "type" or draw(st.booleans())}
        case "or":
            return {"anyOf": [schema, draw(leaves)]}
        case "other":
            return draw(schemas)
        case _:
            return schema


values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 5) | st.sampled_from((*WORDS, "dddd", "")) | st.just(1.5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=4,
)


@st.composite
def valid(draw: st.DrawFn, schema: Json) -> Any:
    """Return a value that the schema admits, or any value where it has no simple one."""
    if "anyOf" in schema:
        return draw(valid(draw(st.sampled_from(schema["anyOf"]))))
    if "enum" in schema or "const" in schema:
        return draw(st.sampled_from(schema.get("enum") or [schema["const"]]))
    if schema.get("type") == "array":
        return draw(st.lists(valid(schema["items"]), max_size=2))
    if schema.get("type") == "object" and schema["properties"]:
        fields = {name: valid(part) for name, part in schema["properties"].items()}
        must = {name: part for name, part in fields.items() if name in schema["required"]}
        may = {name: part for name, part in fields.items() if name not in must}
        return draw(st.fixed_dictionaries(must, optional=may))
    return draw(values)


@given(st.data())
def test_what_was_admitted_is_admitted_where_no_breach_is_found(data: st.DataObject) -> None:
    old = data.draw(schemas)
    new = data.draw(changed(old))
    value = data.draw(valid(old))
    assume(Draft202012Validator(old).is_valid(value))
    found = breaches(old, new)
    event(f"breach: {bool(found)}, same: {old == new}")
    if not found:
        assert Draft202012Validator(new).is_valid(value)


@given(schemas)
def test_a_schema_is_no_breach_of_itself(schema: Json) -> None:
    assert breaches(schema, schema) == ()
