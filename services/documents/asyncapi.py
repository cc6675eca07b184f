"""The AsyncAPI 3 document of the log: every fact's subject, its message, who records it, who reacts to it.

It is drawn from the catalogue, the rights and the declared consumers, and complete in itself but for
older versions of an event, whose schemas stand in files of their own.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from events.catalogue import MAY_RECORD
from events.fact import Fact
from events.subjects import PREFIX, STREAM, TOKEN, facts, parse
from events.upcasting import Vocabulary
from services.documents.event_schemas import Json, attributes, envelope_schema, fact_schema

SCHEMAS = "#/components/schemas/"
MESSAGES = "#/components/messages/"
FORMAT = "application/schema+json;version=draft-2020-12"  # as `event_schemas.DRAFT`
EVERYTHING = "projector"  # follows the whole log, not a consumer of its own

DESCRIPTION = f"""Every fact is one message in the JetStream stream `{STREAM}`, kept for ever.

A subject names the aggregate, its id and the fact. The version stands in the event's `type`; a reader must
know every version it may meet. Only the newest is written. Who may record what is held by the server."""


def document(vocabulary: Vocabulary, consumers: Path) -> Json:
    """Return the AsyncAPI document; `consumers` is the folder of the declared ones."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:aps:log",
        "info": {"title": "APS events", "version": PREFIX.rpartition(".")[2], "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"log": SERVER},
        "channels": dict(_channels(vocabulary)),
        "operations": dict(_operations(vocabulary, consumers)),
        "components": {
            "schemas": _schemas(vocabulary),
            "messages": dict(_messages(vocabulary)),
            "parameters": {"id": ID},
            "securitySchemes": {"role": ROLE},
        },
    }


SERVER: Json = {
    "host": "{address}",
    "protocol": "nats",
    "description": "NATS with JetStream.",
    "variables": {
        "address": {
            "default": "127.0.0.1:4222",
            "description": "`NATS_URL`; without it a server of its own on a free port.",
        }
    },
    "security": [{"$ref": "#/components/securitySchemes/role"}],
}
ROLE: Json = {"type": "userPassword", "description": "One user per role."}
ID: Json = {"description": f"The aggregate's id: `{TOKEN.pattern}`."}


def _split(name: str) -> tuple[str, str]:
    _, aggregate, fact = name.split(".")
    return aggregate, fact


def _key(aggregate: str, fact: str) -> str:
    return f"{aggregate}.{fact}"


def _types(name: str, fact: type[Fact]) -> list[str]:
    """Return the type of every version, the newest first."""
    return [f"{name}.v{version}" for version in range(fact.version, 0, -1)]


def _channels(vocabulary: Vocabulary) -> Iterator[tuple[str, Json]]:
    for name, fact in vocabulary.facts.items():
        aggregate, named = _split(name)
        yield (
            _key(aggregate, named),
            {
                "address": facts(aggregate, named).replace("*", "{id}"),
                "messages": {kind: {"$ref": MESSAGES + kind} for kind in _types(name, fact)},
                "summary": _summary(fact),
                "servers": [{"$ref": "#/servers/log"}],
                "parameters": {"id": {"$ref": "#/components/parameters/id"}},
                "tags": [{"name": aggregate}],
            },
        )


def _summary(fact: type[Fact]) -> str:
    """Return the first paragraph of what its class says."""
    return " ".join((fact.__doc__ or "").partition("\n\n")[0].split())


def _operations(vocabulary: Vocabulary, consumers: Path) -> Iterator[tuple[str, Json]]:
    for service, rights in MAY_RECORD.items():
        for aggregate, recorded in rights.items():
            for fact in recorded:
                name = f"aps.{aggregate}.{fact.name}"
                kinds = _types(name, vocabulary.facts[name])[:1]
                yield _operation(service, "records", name, kinds)
    for service, names in _reactions(vocabulary, consumers).items():
        for name in names:
            yield _operation(service, "reacts_to", name, _types(name, vocabulary.facts[name]))


def _operation(service: str, does: str, name: str, kinds: list[str]) -> tuple[str, Json]:
    aggregate, fact = _split(name)
    channel = f"#/channels/{_key(aggregate, fact)}"
    return f"{service}.{does}.{_key(aggregate, fact)}", {
        "action": "send" if does == "records" else "receive",
        "channel": {"$ref": channel},
        "summary": f"{service} {does.replace('_', ' ')} {fact.replace('_', ' ')} of {aggregate}.",
        "tags": [{"name": service}],
        "messages": [{"$ref": f"{channel}/messages/{kind}"} for kind in kinds],
    }


def _reactions(vocabulary: Vocabulary, consumers: Path) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(consumers.glob("*.json")):
        subjects = json.loads(path.read_text("utf-8"))["config"]["filter_subjects"]
        addresses = [parse(subject.replace("*", "any")) for subject in subjects]
        found[path.stem] = [f"aps.{address.aggregate}.{address.fact}" for address in addresses]
    return {**found, EVERYTHING: list(vocabulary.facts)}


def _messages(vocabulary: Vocabulary) -> Iterator[tuple[str, Json]]:
    for name, fact in vocabulary.facts.items():
        newest, *older = _types(name, fact)
        yield newest, {**_named(newest, fact), "payload": {"$ref": SCHEMAS + newest}}
        for kind in older:
            schema = {"schemaFormat": FORMAT, "schema": {"$ref": f"./events/{kind}.json"}}
            yield kind, {**_named(kind, fact), "deprecated": True, "payload": schema}


def _named(kind: str, fact: type[Fact]) -> Json:
    return {
        "name": kind,
        "title": fact.__name__,
        "summary": _summary(fact),
        "contentType": "application/json",
        "correlationId": {"location": "$message.payload#/correlationid"},
    }


def _schemas(vocabulary: Vocabulary) -> Json:
    """Return the schema of each message, of its data, and of the parts that several share, by name."""
    schemas: Json = {"envelope": envelope_schema({})}
    for name, fact in vocabulary.facts.items():
        kind, data = f"{name}.v{fact.version}", fact_schema(fact, SCHEMAS + "{model}")
        for part, schema in data.pop("$defs", {}).items():
            if schemas.setdefault(part, schema) != schema:
                raise ValueError(f"{kind}: another part is called {part} too; rename one")
        own = {**attributes(kind), "data": {"$ref": f"{SCHEMAS}{kind}.data"}}
        schemas[f"{kind}.data"] = data
        schemas[kind] = {"allOf": [{"$ref": f"{SCHEMAS}envelope"}, {"type": "object", "properties": own}]}
    return schemas
