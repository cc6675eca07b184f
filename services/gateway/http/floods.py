"""Refuses who sends more than is answered: holders by their token, everybody else by where they are.

Rules
1. Who is not known yet takes from the bucket of their place before the log is asked about them, and gets it
   back when they are let in: so a flood of wrong tokens costs those of its place alone, and the log little.
2. Who was let in within the last minutes takes nothing from their place, whoever else is there.
"""

import asyncio
from http import HTTPStatus

from aiohttp import web

from services.access.tokens import Holder
from services.gateway.http.guests import place_of
from services.gateway.http.problems import Problem
from services.gateway.http.rates import Buckets, Rate
from services.gateway.http.route import Route

RATE = Rate(per_second=50, at_once=200)
NOBODYS_RATE = Rate(per_second=5, at_once=30)


class Floods:
    """What was sent to one gateway; what is watched by programs has buckets of its own."""

    def __init__(self) -> None:
        """Have seen nobody yet."""
        self._holders = Buckets(RATE)
        self._places = Buckets(NOBODYS_RATE)

    def count_place(self, route: Route, request: web.Request) -> None:
        """Count a request of nobody in particular. Raises `Problem` where it is one too many."""
        _refuse(self._places.wait(_sender(place_of(request.remote or ""), route), _now()))

    def forgive_place(self, route: Route, request: web.Request) -> None:
        """Take back that a request was counted for its place."""
        self._places.give_back(_sender(place_of(request.remote or ""), route))

    def count_holder(self, route: Route, holder: Holder) -> None:
        """Count a request of a token. Raises `Problem` where it is one too many."""
        _refuse(self._holders.wait(_sender(holder.id, route), _now()))


def _sender(who: str, route: Route) -> str:
    return f"{who} {route.path if route.watched else ''}"


def _now() -> float:
    return asyncio.get_running_loop().time()


def _refuse(wait: int) -> None:
    if wait:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"more requests than are answered; again in {wait} s",
            headers={"Retry-After": str(wait)},
        )
