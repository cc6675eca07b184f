"""One route: what it takes, what it answers, and who may take it. All that is served is a table of these.

The application, the OpenAPI document and the test of every right are made from the same table.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from schemas.access import Role
from schemas.base import Frozen
from services.access.tokens import Holder
from services.gateway.desk import GatewayDesk

ANYBODY: frozenset[Role] = frozenset()
LOOKING = frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN})
DECIDING = frozenset({Role.OPERATOR, Role.ADMIN})
GOVERNING = frozenset({Role.ADMIN})
METERING = frozenset({Role.AGENT, Role.OPERATOR, Role.ADMIN})
WORKING = frozenset({Role.AGENT, Role.ADMIN})


class Nothing(Frozen):
    """No parameters, or no body."""


@dataclass(frozen=True)
class Header:
    """A header that a route reads, and what it is for. `longest`: the most characters, 0 for any."""

    name: str
    said: str
    required: bool = False
    longest: int = 0


LONGEST_KEY = 200
IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    "Makes a repeated request the same request: done once, answered as the first. Another body is refused.",
    longest=LONGEST_KEY,
)
IF_MATCH = Header("If-Match", "The ETag of the version that was looked at; where it is another by now, 412.")
IF_NONE_MATCH = Header("If-None-Match", "The ETag of what is known; where it has not changed, 304.")
LAST_EVENT_ID = Header("Last-Event-ID", "The sequence of the last event that came; it goes on behind it.")


@dataclass(frozen=True)
class Call:
    """One request that was let in: who sends it, and what it gives, read by the models of its route."""

    request: web.Request
    desk: GatewayDesk
    holder: Holder | None
    query: Any
    body: Any

    def named(self, name: str) -> str:
        """Return a part of the path."""
        return self.request.match_info[name]


@dataclass(frozen=True)
class Reply:
    """What is answered as JSON: a model, a frozen dataclass, or a sequence of these."""

    value: Any
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Reply | web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """`roles` may take it (`ANYBODY`: without a token too), with the `scope`.

    `headers` are those it reads besides those that any route of its kind does.
    `query` and `body` are models of what it takes, `answers` the model of each status it answers by itself,
    `problems` the statuses besides those that any route of its kind may end with.
    `conditional`: what it answers depends on the views and its address alone, so it has an ETag. `page`: it
    answers HTML, to people. `signed`: who sends it proves it by a signature, so nobody's rate is not theirs.
    `watched`: what watches the system asks it all the time, so it has a rate of its own.
    `media_type` is what `answers` are sent as, `text_type` what
    they are sent as too, as text, to who asks for it by `Accept`.
    """

    method: str
    path: str
    handler: Handler
    roles: frozenset[Role]
    scope: str
    summary: str
    query: type[Frozen] = Nothing
    body: type[BaseModel] | None = None
    headers: tuple[Header, ...] = ()
    answers: Mapping[HTTPStatus, Any] = field(default_factory=dict)
    problems: tuple[HTTPStatus, ...] = ()
    conditional: bool = False
    page: bool = False
    signed: bool = False
    watched: bool = False
    media_type: str = "application/json"
    text_type: str = ""
