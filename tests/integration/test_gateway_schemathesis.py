"""Every operation of the OpenAPI document, asked with what a machine makes up: each answer is documented."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from requests.auth import AuthBase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from schemas.access import Role
from services.access.tokens import grant
from services.gateway.app import ROUTES
from services.gateway.http.openapi import document
from services.gateway.http.route import Route
from tests.gateway_place import CAUSE, Place, ground_at, open_place
from tests.log_server import LogServer
from tests.projection_facts import CYCLE, tell

EXAMPLES = 20
SECONDS = 60
TOO_MANY = 429
SENDERS = 12  # so that no sender asks more often than is answered
# An unending answer has tests of its own.
LEAVING = "/api/agents/leave"  # comes last: who has left is given no work
SERVED = sorted(
    (one for one in ROUTES if not one.page and one.media_type != "text/event-stream"),
    key=lambda one: one.path == LEAVING,
)
KNOWN = {"id": "imp-1", "seq": "1", "number": "1", "aggregate": "improvement"}
UNWELL = ("/api/health", "/readyz")  # here 503 is an answer: no service runs beside
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
pytestmark = pytest.mark.slow


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        async with opened.ground.log("admin") as (_, everybody):
            await tell(everybody.store, CYCLE)
        await opened.seen()
        yield opened


class Bearer(AuthBase):
    """Sends a token whatever headers were made up: what no or a wrong one is answered has other tests."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def asked(routes: Sequence[Route], mode: GenerationMode, url: str, tokens: list[str]) -> list[str]:
    """Ask every operation; return what was not as the document says."""
    schema = schemathesis.openapi.from_dict(document(routes, "1.0.0"))
    senders, wrong = cycle(tokens), []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        try:
            _explore(operation, mode, url, senders)
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # it takes nothing that could be wrong
        except (Exception, BaseExceptionGroup) as problem:  # noqa: BLE001 -- whatever it was is told with its operation
            wrong.append(f"{operation.label}: {problem}"[:2000])
    return wrong


def _explore(operation: Any, mode: GenerationMode, url: str, senders: Iterator[str]) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode), known=st.booleans())
    def explore(case: Any, known: bool) -> None:
        if known:
            case.path_parameters = {
                n: KNOWN.get(n, value) for n, value in (case.path_parameters or {}).items()
            }
        with requests.Session() as session:
            session.auth = Bearer(next(senders))
            answer = case.call(base_url=url, session=session, timeout=SECONDS)
            assert answer.status_code != TOO_MANY, "nothing was asked: raise SENDERS"
            case.validate_response(
                answer, checks=CHECKS if operation.path in UNWELL else [*CHECKS, not_a_server_error]
            )

    explore()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_no_operation_fails_and_none_answers_what_is_not_documented(
    place: Place, mode: GenerationMode
) -> None:
    tokens = [(await grant(place.book, f"t{n}", Role.ADMIN, CAUSE)).text for n in range(SENDERS)]
    hand = {"title": "a hand", "role": "developer"}
    for token in tokens:
        said = await place.ask("POST", "/api/agents", None, hand, {"Authorization": f"Bearer {token}"})
        assert said.status == 201
    wrong = await asyncio.to_thread(asked, SERVED, mode, place.url, tokens)
    assert not wrong, "\n\n".join(wrong)
