"""Refusals as problem details (RFC 9457), raised where they are found and answered in one place."""

from http import HTTPStatus

import orjson
from aiohttp import web

from schemas.base import Frozen

MEDIA_TYPE = "application/problem+json"


class ProblemDetails(Frozen):
    """Why a request was not answered, as RFC 9457 has it.

    `errors` names what is wrong with single fields, `see` the address that shows how things stand.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: tuple[str, ...] = ()
    see: str = ""


class Problem(Exception):  # noqa: N818 -- the standard's own word
    """A request is not answered as it was meant."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: tuple[str, ...] = (),
        headers: dict[str, str] | None = None,
        see: str = "",
    ) -> None:
        """`detail` says in a person's words what is wrong, and what to do; `see` where to look."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.see = see

    def details(self, instance: str) -> ProblemDetails:
        """Return the problem as it is sent."""
        return ProblemDetails(
            title=self.status.phrase,
            status=self.status,
            detail=self.detail,
            instance=instance,
            errors=self.errors,
            see=self.see,
        )


def problem_response(problem: Problem, instance: str) -> web.Response:
    """Answer with a problem."""
    body = orjson.dumps(problem.details(instance).model_dump(mode="json"))
    return web.Response(body=body, status=problem.status, content_type=MEDIA_TYPE, headers=problem.headers)
