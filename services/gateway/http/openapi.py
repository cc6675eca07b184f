"""The OpenAPI 3.1 document of a table of routes, made from their models."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from services.gateway.http.problems import MEDIA_TYPE, ProblemDetails
from services.gateway.http.route import ANYBODY, IF_NONE_MATCH, Nothing, Route

REFERENCE = "#/components/schemas/{model}"
PART = re.compile(r"\{(\w+)(?::[^{}]*)?\}")
JSON = "application/json"


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """Return the document of those routes that are no pages."""
    served = [route for route in routes if not route.page]
    schemas, definitions = _schemas(served)
    paths: dict[str, dict[str, Any]] = {}
    for route in served:
        paths.setdefault(PART.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AI Self-Sustaining System",
            "version": version,
            "summary": "Watch and steer a swarm that improves git repositories.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


Key = tuple[int, JsonSchemaMode]


def _schemas(routes: list[Route]) -> tuple[dict[Key, Any], dict[str, Any]]:
    """Return the schema of each model by how it is used, and what they share."""
    wanted: dict[Key, Any] = {(id(ProblemDetails), "serialization"): ProblemDetails}
    for route in routes:
        for model in (route.query, route.body):
            if model is not None and model is not Nothing:
                wanted[id(model), "validation"] = model
        for model in route.answers.values():
            if model is not None:
                wanted[id(model), "serialization"] = model
    inputs = [(key, key[1], TypeAdapter(model)) for key, model in wanted.items()]
    made, shared = TypeAdapter.json_schemas(
        inputs, ref_template=REFERENCE, schema_generator=GenerateJsonSchema
    )
    return {key: made[key, key[1]] for key in wanted}, shared.get("$defs", {})


def _operation(route: Route, schemas: dict[Key, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', route.path).rstrip('_')}",
        "tags": [route.scope],
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": _responses(route, schemas),
    }
    if route.roles is not ANYBODY:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Needs the role {' or '.join(sorted(route.roles))}."
    if route.body is not None:
        schema = schemas[id(route.body), "validation"]
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in PART.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is Nothing:
        return []
    schema = TypeAdapter(route.query).json_schema(ref_template=REFERENCE)
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": one}
        for name, one in schema["properties"].items()
    ]


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    known = (IF_NONE_MATCH,) if route.conditional else ()
    return [
        {
            "name": one.name,
            "in": "header",
            "required": one.required,
            "description": one.said,
            "schema": {"type": "string", **({"maxLength": one.longest} if one.longest else {})},
        }
        for one in (*route.headers, *known)
    ]


def _responses(route: Route, schemas: dict[Key, Any]) -> dict[str, Any]:
    problem = {MEDIA_TYPE: {"schema": schemas[id(ProblemDetails), "serialization"]}}
    found: dict[str, Any] = {
        str(status.value): {"description": status.phrase, "content": problem} for status in problems_of(route)
    }
    for status, model in route.answers.items():
        answer: dict[str, Any] = {"description": status.phrase}
        if model is not None:
            shared = problem if str(status.value) in found else {}
            answer["content"] = {route.media_type: {"schema": schemas[id(model), "serialization"]}, **shared}
            if route.text_type:
                answer["content"][route.text_type] = {"schema": {"type": "string"}}
        found[str(status.value)] = answer
    if route.conditional:
        found["304"] = {"description": "Not changed since the ETag given in If-None-Match"}
    return dict(sorted(found.items()))


def problems_of(route: Route) -> tuple[HTTPStatus, ...]:
    """Return the problems that any route of its kind may answer with."""
    found = [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, *route.problems]
    if route.roles is not ANYBODY:
        found += [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN]
    if route.query is not Nothing:
        found.append(HTTPStatus.REQUEST_URI_TOO_LONG)
    if route.query is not Nothing or route.body is not None:
        found.append(HTTPStatus.UNPROCESSABLE_ENTITY)
    if "at" in route.query.model_fields or PART.search(route.path):
        found.append(HTTPStatus.NOT_FOUND)
    if route.body is not None:
        found += [
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ]
    return tuple(dict.fromkeys(found))
