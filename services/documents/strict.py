"""The strict form of an APS document: its JSON Schema, and YAML that is checked against it."""

from functools import cache
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from schemas.aps import ONE_OR_MANY, Document

SCHEMA_ID = "urn:aps:document:v1"


def document_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what is written here: no unknown key, no open word."""
    schema = _closed(Document.model_json_schema(by_alias=True))
    assert isinstance(schema, dict)  # noqa: S101 -- the schema of a model is an object
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    return {**head, "title": "APS document", **schema, "minProperties": 1}


def _closed(schema: object) -> object:
    if isinstance(schema, list):
        return [_closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items() if not _noise(key, value)}
    if "properties" in closed:
        closed["additionalProperties"] = False
    options = closed.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        (only,) = (option for option in options if option != {"type": "null"})
        closed.pop("anyOf")
        closed |= only  # an absent value is written by leaving its key out
    return closed


def _noise(key: str, value: object) -> bool:
    return key == "default" or (key == "title" and isinstance(value, str))


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(document_schema())


def breaches(document: object) -> tuple[str, ...]:
    """Return where plain values leave the strict form, each as `field: reason`."""
    errors = _validator().iter_errors(document)
    return tuple(sorted(f"{error.json_path.removeprefix('$.')}: {error.message}" for error in errors))


def plain_values(document: Document) -> dict[str, Any]:
    """Return the document as plain values: absent parts left out, a lone entry without its list."""
    values = document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for key in ONE_OR_MANY:
        if len(values.get(key, ())) == 1:
            values[key] = values[key][0]
    return values


def write(document: Document) -> str:
    """Return the document as YAML, always the same for the same document.

    Raises ValueError naming the fields when the document leaves the strict form.
    """
    values = plain_values(document)
    if wrong := breaches(values):
        raise ValueError("the document leaves the strict form: " + "; ".join(wrong))
    return dumped(values)


def dumped(values: dict[str, Any]) -> str:
    """Return plain values as YAML in block style, in the order given."""
    return yaml.dump(
        values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
    )


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, indents lists, and shows text of several lines as it is."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


# YAML reads these as ends of lines too, so only an escape in double quotes keeps them.
_OTHER_BREAKS = "\x85\u2028\u2029"


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if any(mark in text for mark in _OTHER_BREAKS):
        style = '"'
    elif "\n" in text and not text[0].isspace() and all(c.isprintable() or c == "\n" for c in text):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
