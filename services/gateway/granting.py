"""What a token may make: one that is narrowed to scopes makes only tokens narrowed to some of its own."""

from collections.abc import Collection
from http import HTTPStatus

from services.access.tokens import beyond
from services.gateway.http.problems import Problem
from services.gateway.http.route import Call


async def refuse_beyond(call: Call, scopes: Collection[str]) -> None:
    """Raise `Problem`, and tell the denial, where a token of these scopes would reach beyond its maker's."""
    if call.holder is not None and (why := beyond(call.holder, scopes)):
        await call.desk.denials.tell(call.request, call.holder.id, why)
        raise Problem(HTTPStatus.FORBIDDEN, why)
