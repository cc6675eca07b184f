"""The moment that a page shows, and the way to others: the slider, and what changed since."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from services.gateway.http.problems import Problem
from services.gateway.http.route import Call
from services.gateway.pages.outage import seq_of, time_of
from services.runtime.ground import now

VIEWS_SECONDS = 5.0
GIVEN = ("at", "from")


@dataclass(frozen=True)
class Moment:
    """`seq` is the event a page shows the state after, `head` the last one known; `time` is that of `seq`.

    `at_seq` is None where the page shows what is now. `kept` is what else the address names, which stays as
    it is at another moment.
    """

    seq: int
    head: int
    time: datetime
    at_seq: int | None
    kept: Mapping[str, str]

    @property
    def past(self) -> bool:
        """Whether the page shows the same for ever."""
        return self.at_seq is not None


async def moment_of(call: Call) -> Moment:
    """Return the moment a page is asked for, with the views that far. Raises `Problem`."""
    head = (await call.desk.views.checkpoint()).seq
    seq = await seq_of(call, head)
    kept = {name: value for name, value in call.request.query.items() if name not in GIVEN and value}
    if seq is None:
        return Moment(head, head, now(), None, kept)
    if seq > head:
        head = await reached(call, seq)
    return Moment(seq, head, await time_of(call, seq), seq, kept)


async def reached(call: Call, seq: int) -> int:
    """Wait a moment until the views are at an event, and return where they are. Raises `Problem`."""
    try:
        return (await call.desk.views.wait_until(seq, VIEWS_SECONDS)).seq
    except TimeoutError:
        late = f"the views have not reached event {seq} yet: look again"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, late, headers={"Retry-After": "2"}) from None
