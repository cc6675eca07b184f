"""The JSON Schema of every event as it stands on the log: its envelope, and its data inside.

A file's root describes the envelope and has the `$id` of the event; `$defs.data` describes the data and
has the `$id` that events carry as `dataschema`.
"""

from typing import Any

from events.envelope import SPECVERSION
from events.fact import Fact
from events.subjects import TOKEN

Json = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
HASH = "^[0-9a-f]{64}$"

# An attribute with a default may be missing in events that were written before there was one.
ENVELOPE: dict[str, Json] = {
    "id": {
        "type": "string",
        "format": "uuid",
        "description": "Follows from cause, aggregate and version: a repeated reaction has the same.",
    },
    "source": {"type": "string", "description": "The program that recorded the event."},
    "type": {"type": "string", "description": "The aggregate, the fact and the version of its data."},
    "subject": {"type": "string", "description": "The aggregate and its id."},
    "time": {
        "type": "string",
        "format": "date-time",
        "description": "The writer's clock, in UTC. It orders nothing.",
    },
    "dataschema": {"type": "string", "format": "uri", "description": "The `$id` of the schema of `data`."},
    "data": {"type": "object", "description": "The fact."},
    "actor": {"type": "string", "description": "Who recorded it: a service's copy, or a person."},
    "correlationid": {
        "type": "string",
        "format": "uuid",
        "description": "The request that everything in this chain of events goes back to.",
    },
    "causationid": {"type": "string", "description": "The `id` of the event answered; empty for none."},
    "sequence": {"type": "integer", "minimum": 1, "description": "The version within the aggregate, from 1."},
    "prevhash": {
        "type": "string",
        "pattern": HASH,
        "description": "The `hash` of the aggregate's event before this one; zeros for the first.",
    },
    "traceparent": {"type": "string", "description": "W3C Trace Context; empty for none."},
    "specversion": {"type": "string", "const": SPECVERSION, "description": "The version of CloudEvents."},
    "datacontenttype": {
        "type": "string",
        "const": "application/json",
        "description": "The media type of `data`.",
    },
    "hash": {
        "type": "string",
        "pattern": HASH,
        "description": "SHA-256 over `prevhash` and the RFC 8785 form of all but the two hashes.",
    },
}


def data_urn(kind: str) -> str:
    """Return the `$id` of the schema of the data of events of type `kind`."""
    return f"urn:{kind.replace('.', ':')}"


def event_schema(kind: str, fact: type[Fact]) -> Json:
    """Return the schema of events of type `kind`, complete in itself."""
    data = fact_schema(fact)
    head = {
        "$schema": DRAFT,
        "$id": f"{data_urn(kind)}:event",
        "title": kind,
        "description": data["description"],
    }
    own = {**attributes(kind), "data": {"$ref": data_urn(kind)}}
    return {**head, **envelope_schema(own), "$defs": {"data": {"$id": data_urn(kind), **data}}}


def attributes(kind: str) -> Json:
    """Return what the type of an event says about its envelope."""
    aggregate = kind.split(".")[1]
    return {
        "type": {"type": "string", "const": kind},
        "subject": {"type": "string", "pattern": f"^{aggregate}/{TOKEN.pattern}$"},
        "dataschema": {"type": "string", "const": data_urn(kind)},
    }


def envelope_schema(own: Json) -> Json:
    """Return the schema of an envelope; `own` stands in place of what `ENVELOPE` says of an attribute."""
    properties = {name: {**_described(said), **own.get(name, said)} for name, said in ENVELOPE.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name, said in ENVELOPE.items() if "default" not in said],
        "additionalProperties": False,
    }


def _described(said: Json) -> Json:
    return {"description": said["description"]}


def fact_schema(fact: type[Fact], ref_template: str = "#/$defs/{model}") -> Json:
    """Return the schema of a fact's data, without the titles that repeat the names."""
    schema = _untitled(fact.model_json_schema(ref_template=ref_template))
    assert isinstance(schema, dict)  # noqa: S101 -- the schema of a model is an object
    return {"title": fact.__name__, **schema}


def _untitled(schema: object) -> object:
    if isinstance(schema, list):
        return [_untitled(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _untitled(part)
        for name, part in schema.items()
        if not (name == "title" and isinstance(part, str))
    }
