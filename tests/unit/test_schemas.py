"""The generated schemas: of every event, and the AsyncAPI document of the log."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from events.catalogue import FACTS, MAY_RECORD, VOCABULARY
from events.envelope import FIELDS, Envelope
from events.fact import Fact
from events.rights import ROLES
from events.subjects import facts, parse, subject
from events.upcasting import Data, Vocabulary
from services.documents import asyncapi
from services.documents.event_schemas import ENVELOPE, event_schema
from services.documents.generate import CONSUMERS
from tests.golden_history import histories

# The official schema, from the npm package @asyncapi/specs (see tests/standards/NOTICE).
OFFICIAL = Path(__file__).parents[1] / "standards" / "asyncapi-3.0.0.schema.json"
DOCUMENT: dict[str, Any] = asyncapi.document(VOCABULARY, CONSUMERS)
EVENTS = [event.envelope for event in histories()[-1].events]
ONE = EVENTS[0]


def validator(kind: str) -> Draft202012Validator:
    schema = event_schema(kind, FACTS[kind])
    registry: Registry[Any] = DRAFT202012.create_resource(schema) @ Registry()
    return Draft202012Validator(schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)


def official_problems(document: Data) -> list[str]:
    schema = json.loads(OFFICIAL.read_text("utf-8"))
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(document)]


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def followed(reference: str) -> Any:
    part: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def test_the_schema_of_the_envelope_names_its_attributes_in_their_order() -> None:
    assert tuple(ENVELOPE) == FIELDS


@pytest.mark.parametrize("kind", FACTS)
def test_the_schema_of_an_event_is_one_and_tells_what_its_class_tells(kind: str) -> None:
    schema = event_schema(kind, FACTS[kind])
    Draft202012Validator.check_schema(schema)
    data = schema["$defs"]["data"]
    assert schema["$id"] == f"{data['$id']}:event"
    assert schema["description"] == data["description"]
    assert " ".join((FACTS[kind].__doc__ or "").split()) == " ".join(data["description"].split())


def test_an_event_names_the_schema_of_its_data() -> None:
    for event in EVENTS:
        assert event.dataschema == event_schema(event.type, FACTS[event.type])["$defs"]["data"]["$id"]


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 0},
        {"hash": "x"},
        {"subject": "improvement/shelf"},
        {"subject": "target/a.b"},
        {"dataschema": "urn:aps:target:registered:v2"},
        {"type": "aps.target.paused.v1"},
        {"data": {"path": "/srv/shelf"}},
        {"data": {**ONE.data, "more": 1}},
        {"data": {**ONE.data, "path": 1}},
    ],
    ids=str,
)
def test_what_is_no_such_event_is_refused(change: Data) -> None:
    validator(ONE.type).validate(orjson.loads(ONE.encode()))
    assert not validator(ONE.type).is_valid(orjson.loads(replace(ONE, **change).encode()))


def test_the_document_is_valid_by_the_official_schema_of_asyncapi() -> None:
    assert official_problems(DOCUMENT) == []


def test_the_official_schema_refuses_what_is_wrong() -> None:
    least = {"asyncapi": "3.0.0", "info": DOCUMENT["info"]}
    assert official_problems(least) == []
    assert official_problems({**least, "channels": {"x": {"adress": "y"}}})
    assert official_problems({**least, "operations": {"x": {"action": "publish"}}})
    assert official_problems({**least, "asyncapi": "2.6.0"})
    assert official_problems({"asyncapi": "3.0.0"})


def test_every_reference_of_the_document_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    assert all(followed(reference) for reference in found)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event.address.fact}-{event.sequence}")
def test_an_event_is_a_message_of_the_channel_of_its_subject(event: Envelope) -> None:
    address = event.address
    channel = DOCUMENT["channels"][f"{address.aggregate}.{address.fact}"]
    assert channel["address"].replace("{id}", address.id) == subject(address)
    payload = followed(channel["messages"][event.type]["$ref"])["payload"]
    payloads = Draft7Validator({**payload, "components": DOCUMENT["components"]})
    payloads.validate(orjson.loads(event.encode()))
    wrong = {**orjson.loads(event.encode()), "data": {"nothing": "of it"}}
    assert not payloads.is_valid(wrong)


def subjects_of(service: str, action: str) -> set[str]:
    return {
        followed(operation["channel"]["$ref"])["address"].replace("{id}", "*")
        for operation in DOCUMENT["operations"].values()
        if operation["tags"] == [{"name": service}] and operation["action"] == action
    }


@pytest.mark.parametrize("service", MAY_RECORD)
def test_a_service_sends_what_it_may_record(service: str) -> None:
    rights = MAY_RECORD[service]
    assert subjects_of(service, "send") == {
        facts(a, fact.name) for a, known in rights.items() for fact in known
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_role_receives_what_its_consumer_delivers(role: str) -> None:
    config = json.loads((CONSUMERS / f"{role}.json").read_text("utf-8"))["config"]
    assert subjects_of(role, "receive") == set(config["filter_subjects"])


def test_the_projector_receives_every_fact() -> None:
    channels = {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert {address.replace("{id}", "*") for address in channels} == subjects_of("projector", "receive")
    assert {parse(address.replace("{id}", "x")).fact for address in channels} == {
        f.name for f in FACTS.values()
    }


def second(fact: type[Fact]) -> type[Fact]:
    return type(fact.__name__, (fact,), {"__doc__": fact.__doc__, "version": 2})


def test_an_older_version_is_received_by_its_published_schema_and_never_sent() -> None:
    name = "aps.improvement.discovered"
    fact = second(VOCABULARY.facts[name])
    newer = Vocabulary({**VOCABULARY.facts, name: fact}, {fact: (lambda data: data,)})
    document = asyncapi.document(newer, CONSUMERS)
    assert official_problems(document) == []
    assert list(document["channels"]["improvement.discovered"]["messages"]) == [f"{name}.v2", f"{name}.v1"]
    old = document["components"]["messages"][f"{name}.v1"]
    assert old["deprecated"] is True
    assert old["payload"]["schema"] == {"$ref": f"./events/{name}.v1.json"}
    sent = document["operations"]["pm.records.improvement.discovered"]["messages"]
    received = document["operations"]["pm.reacts_to.improvement.discovered"]["messages"]
    assert [message["$ref"].rpartition("/")[2] for message in sent] == [f"{name}.v2"]
    assert [message["$ref"].rpartition("/")[2] for message in received] == [f"{name}.v2", f"{name}.v1"]


def test_parts_of_one_name_must_be_the_same() -> None:
    def other() -> type[Fact]:
        from schemas.artefacts import ArtefactRef as Part

        class ArtefactRef(Part):
            more: str = ""

        return type("Paused", (Fact,), {"__annotations__": {"part": ArtefactRef}, "name": "paused"})

    changed = Vocabulary({**VOCABULARY.facts, "aps.target.paused": other()}, {})
    with pytest.raises(ValueError, match="another part is called ArtefactRef"):
        asyncapi.document(changed, CONSUMERS)
