"""Says what is wrong with what came where a request should have come, and never came to a route.

Rules
1. A method that nobody knows is answered as one that is not allowed: 405 with those that are, where the
   path is one of ours.
2. Nothing of what came is sent back, as it may be anything.
"""

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple

from aiohttp.hdrs import METH_ALL
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, InvalidURLError, LineTooLong

from services.gateway.http.problems import Problem

Allowed = Callable[[str], Sequence[str]]
LONGEST_PATH = 200
MANY_HEADERS = "Too many headers"
NO_REQUEST = "what came is no request of HTTP/1.1"
_BEGIN = re.compile(rb"(?P<method>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}) (?P<path>/[^\s?#]*)\S* HTTP/1\.[01]\r?\n")


class Begun(NamedTuple):
    """The first line of a request, as far as there is one; else both are empty."""

    method: str
    path: str


def begun(came: bytes) -> Begun:
    """Read the first line of what came."""
    line = _BEGIN.match(came)
    if line is None:
        return Begun("", "")
    return Begun(line["method"].decode("ascii"), line["path"].decode("ascii", "backslashreplace"))


def unread(why: BaseException | None, first: Begun, allowed: Allowed) -> Problem:
    """Return the problem of a request that could not be read for a reason."""
    match why:
        case LineTooLong():
            return _too_long(why)
        case BadHttpMethod() if first.method and first.method not in METH_ALL:
            return unknown_method(first.path, allowed)
        case InvalidURLError():
            return Problem(HTTPStatus.BAD_REQUEST, "the address cannot be read")
        case HttpProcessingError():
            return _broken(why.message)
        case _:
            return Problem(HTTPStatus.BAD_REQUEST, NO_REQUEST)


def _broken(why: str) -> Problem:
    """Tell what aiohttp's parser says, without the lines of the request that it shows behind that."""
    if why.startswith(MANY_HEADERS):
        return Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "there are too many headers")
    what = " ".join(why.partition("\n\n")[0].split()).rstrip(":")
    return Problem(HTTPStatus.BAD_REQUEST, f"{NO_REQUEST}: {what}")


def unknown_method(path: str, allowed: Allowed) -> Problem:
    """Return the problem of a method that nobody knows."""
    methods = ", ".join(allowed(path))
    if not methods:
        return Problem(HTTPStatus.NOT_FOUND, NOTHING_HERE)
    return Problem(HTTPStatus.METHOD_NOT_ALLOWED, f"Allowed here: {methods}.", headers={"Allow": methods})


NOTHING_HERE = "There is nothing here; /api/openapi.json says what there is."


def _too_long(why: LineTooLong) -> Problem:
    """Tell a long address from a long header by the type in which aiohttp's parser hands it over."""
    line, limit = why.args[:2]
    if isinstance(line, bytearray):
        told = f"an address has {limit} bytes at most"
        return Problem(HTTPStatus.REQUEST_URI_TOO_LONG, told)
    return Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a header has {limit} bytes at most")
