"""The page of the API tells everything that its document holds, and nothing else."""

import pytest

from services.gateway.app import ROUTES
from services.gateway.http.openapi import document
from services.gateway.pages.describing import kind_of, models, operations

DOCUMENT = document(ROUTES, "1.0.0")


def test_every_operation_is_told_once_with_all_its_answers() -> None:
    told = [one for part in operations(DOCUMENT).values() for one in part]
    served = {(route.method, route.path.replace(":[0-9]+", "")) for route in ROUTES if not route.page}
    assert {(one.method, one.path) for one in told} == served
    assert len(told) == len(served)
    for one in told:
        answers = DOCUMENT["paths"][one.path][one.method.lower()]["responses"]
        assert [answer.status for answer in one.answers] == list(answers)


def test_every_model_is_told_with_all_its_fields() -> None:
    told = {one.name: [field.name for field in one.fields] for one in models(DOCUMENT)}
    schemas = DOCUMENT["components"]["schemas"]
    assert told == {name: list(schema.get("properties", ())) for name, schema in schemas.items()}


def test_what_may_be_asked_for_tells_its_limits() -> None:
    (one,) = [one for one in models(DOCUMENT) if one.name == "Delivery"]
    patch = next(field for field in one.fields if field.name == "patch")
    assert (patch.kind, patch.required) == (
        "string, characters at least 1, characters at most 500000",
        True,
    )


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, "date-time"),
        ({"$ref": "#/components/schemas/Offer"}, "Offer"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Offer"}}, "list of Offer"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer or null"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "map of integer"),
        ({"enum": ["a", "b"], "type": "string"}, "'a' or 'b'"),
        ({"const": 1}, "1"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer, at least 1, at most 9"),
        ({}, "anything"),
    ],
)
def test_a_type_is_told_in_words(schema: dict[str, object], said: str) -> None:
    assert kind_of(schema) == said


def reading(header: str) -> set[str]:
    return {
        f"{method} {path}"
        for path, methods in DOCUMENT["paths"].items()
        for method, one in methods.items()
        if any(given["in"] == "header" and given["name"] == header for given in one["parameters"])
    }


def answering(status: str) -> set[str]:
    paths = DOCUMENT["paths"].items()
    return {
        f"{how} {path}" for path, ways in paths for how, one in ways.items() if status in one["responses"]
    }


def test_the_headers_that_an_operation_reads_are_its_parameters() -> None:
    commands = {
        f"post {route.path.replace(':[0-9]+', '')}"
        for route in ROUTES
        if route.method == "POST" and not route.page and not route.signed
    }
    assert reading("Idempotency-Key") == commands
    assert reading("If-Match") == answering("412")
    assert {"post /api/pause", "post /api/improvements/{id}/approve"} <= answering("412") <= commands
    assert reading("If-None-Match") == answering("304")
    assert reading("Last-Event-ID") == {"get /api/events/stream"}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("github", {"X-Hub-Signature-256", "X-GitHub-Delivery", "X-GitHub-Event"}),
        ("n8n/{workflow_id}", {"X-APS-Signature-256"}),
        ("system", {"webhook-id", "webhook-timestamp", "webhook-signature"}),
    ],
)
def test_what_signs_and_names_a_delivery_is_demanded(path: str, headers: set[str]) -> None:
    given = DOCUMENT["paths"][f"/api/webhooks/{path}"]["post"]["parameters"]
    assert {one["name"] for one in given if one["in"] == "header" and one["required"]} == headers


def test_looking_for_work_promises_no_answer_that_only_a_command_has() -> None:
    answers = set(DOCUMENT["paths"]["/api/work"]["get"]["responses"])
    assert ("409" in answers, answers & {"400", "412"}) == (True, set())
