"""The measures for programs: all of them by name, the outcomes by time or target, and what others send."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import NAMESPACE_URL, uuid4, uuid5

from aiohttp import web
from pydantic import AwareDatetime, Field

from projections.views.outcomes import OutcomesBy
from schemas.access import Scope
from schemas.base import Frozen
from services.gateway.api.reading import position, seq_of
from services.gateway.http.commands import ONCE, key_of, key_reused
from services.gateway.http.lists import At, Order, Page, Paged, page_of
from services.gateway.http.problems import Problem
from services.gateway.http.route import LOOKING, METERING, Call, Reply, Route
from services.gateway.metering.custom import Kept, Sent, out_of_time
from services.gateway.metering.families import TEXT, Family, exposition
from services.gateway.metering.figures import gathered
from services.gateway.metering.measures import OutcomeMeasures, measures_of
from services.gateway.metering.sending import AnotherRequest, TooLarge
from services.gateway.metering.spans import Range, Span, span_of
from services.gateway.metering.tally import Series, Tally

OK, ACCEPTED = HTTPStatus.OK, HTTPStatus.ACCEPTED
CUSTOM = "/api/metrics/custom"


class Metrics(Frozen):
    """Every measure there is, and when it was taken."""

    time: AwareDatetime
    families: tuple[Family, ...]


class Outcomes(At):
    """What measures are summed by, for how far back, of which target; empty is any."""

    by: OutcomesBy = OutcomesBy.ALL
    range: Range = Range.ALL
    target: Annotated[str, Field(max_length=200)] = ""


class OutcomesOf(Frozen):
    """The measures of a time, from `since` until before `until`, as known at `position` of the log."""

    since: AwareDatetime
    until: AwareDatetime
    position: int
    items: tuple[OutcomeMeasures, ...]


class Custom(Paged):
    """The series of one name, or all."""

    name: Annotated[str, Field(max_length=60)] = ""


class CustomSeries(Frozen):
    """A series of measurements from outside, and what it came to. Numbers are decimal text."""

    id: str
    name: str
    unit: str
    labels: dict[str, str]
    count: int
    sum: str
    min: str
    max: str
    last: str
    last_at: AwareDatetime


class Taken(Frozen):
    """How many measurements were stored, where in the stream, and where to see what they come to."""

    measurements: int
    sequence: int
    see: str


BY_NAME = Order[CustomSeries]("custom", (str, str, str), lambda row: (row.name, row.unit, row.id))


async def metrics(call: Call) -> Reply | web.StreamResponse:
    """Answer every measure, as JSON or as `Accept` asks."""
    families = await gathered(call.desk)
    if _asks_for_text(call.request.headers.get("Accept", "")):
        return _text(families)
    return Reply(Metrics(time=call.desk.book.clock(), families=families))


async def scraped(call: Call) -> web.StreamResponse:
    """Answer every measure as Prometheus reads it."""
    return _text(await gathered(call.desk))


def _text(families: tuple[Family, ...]) -> web.Response:
    return web.Response(body=exposition(families), headers={"Content-Type": TEXT})


def _asks_for_text(accept: str) -> bool:
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    wanted = {"text/plain", "application/openmetrics-text"} & kinds
    return bool(wanted) and "application/json" not in kinds


async def outcomes(call: Call) -> Reply:
    """Answer the outcome measures."""
    asked: Outcomes = call.query
    seq = await seq_of(call)
    span, found = await measured(call, seq, asked.by, asked.range, asked.target)
    at = await position(call, seq)
    return Reply(OutcomesOf(since=span.since, until=span.until, position=at, items=found))


async def measured(
    call: Call, seq: int | None, by: OutcomesBy, wanted: Range, target: str
) -> tuple[Span, tuple[OutcomeMeasures, ...]]:
    """Return the outcome measures of a time that ends now, or when an event happened."""
    span = await spanned(call, seq, wanted)
    sums = await call.desk.views.outcome_sums(by, span.since, span.until, seq, target or None, span.width)
    return span, tuple(measures_of(one) for one in sums)


async def measured_in_parts(
    call: Call, seq: int | None, span: Span, target: str
) -> tuple[OutcomeMeasures, tuple[OutcomeMeasures, ...]]:
    """Return the outcome measures of a time as a whole, and of each part of it, summed at once."""
    views = call.desk.views
    whole, parts = await views.outcome_parts(span.since, span.until, seq, target or None, span.width)
    told = OutcomeMeasures(what="") if whole is None else measures_of(whole)
    return told, tuple(measures_of(one) for one in parts)


async def spanned(call: Call, seq: int | None, wanted: Range) -> Span:
    """Return the time that ends now, or when an event happened."""
    registered = [row.registered_at for row in await call.desk.views.targets(seq)]
    return span_of(wanted, await _end(call, seq), min(registered, default=None))


async def _end(call: Call, seq: int | None) -> datetime:
    """Return the time of an event; that of no event is now."""
    store = call.desk.book.store
    if seq:
        async for event in store.read_all(seq - 1, seq):
            return event.envelope.at
    return call.desk.book.clock()


async def custom(call: Call) -> Reply:
    """Answer what measurements from outside come to, by name, unit and labels."""
    asked: Custom = call.query
    rows = tuple(_row(*one) for one in await call.desk.metering.kept.series(asked.name))
    reached = await call.desk.metering.kept.reached()
    return Reply(page_of(rows, BY_NAME, asked, reached.seq))


def _row(series: Series, tally: Tally) -> CustomSeries:
    labels = ",".join(f"{name}={value}" for name, value in series.labels)
    return CustomSeries(
        id=str(uuid5(NAMESPACE_URL, f"{series.name} {series.unit} {labels}")),
        name=series.name,
        unit=series.unit,
        labels=dict(series.labels),
        count=tally.count,
        sum=format(tally.sum, "f"),
        min=format(tally.least, "f"),
        max=format(tally.greatest, "f"),
        last=format(tally.last, "f"),
        last_at=tally.last_at,
    )


async def take(call: Call) -> Reply:
    """Store one measurement, or several, once for each `Idempotency-Key`."""
    sent: Sent = call.body
    present = call.desk.book.clock()
    if wrong := out_of_time(sent.measurements, present):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "a time is not taken; see errors", errors=wrong[:20])
    by = call.holder.id if call.holder else ""
    kept = Kept(at=present, by=by, measurements=sent.measurements)
    try:
        seq = await call.desk.metering.sending.put(_name(call), kept)
    except AnotherRequest:
        raise key_reused("other measurements were stored") from None
    except TooLarge as problem:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send less at once: {problem}") from problem
    call.desk.metering.counting.tell()
    taken = Taken(measurements=len(sent.measurements), sequence=seq, see=CUSTOM)
    return Reply(taken, ACCEPTED, {"Location": CUSTOM})


def _name(call: Call) -> str:
    """Return the name of what one request sends, the same where it is sent again."""
    key = key_of(call)
    holder = call.holder.id if call.holder else ""
    return uuid5(NAMESPACE_URL, f"{holder} {CUSTOM} {key}").hex if key else uuid4().hex


ROUTES = (
    Route(
        "GET",
        "/api/metrics",
        metrics,
        LOOKING,
        Scope.METRICS,
        "Answer every measure; as Prometheus text where Accept asks for text/plain",
        answers={OK: Metrics},
        text_type="text/plain",
    ),
    Route(
        "GET",
        "/metrics",
        scraped,
        LOOKING,
        Scope.METRICS,
        "Answer every measure as Prometheus text",
        answers={OK: str},
        media_type="text/plain",
    ),
    Route(
        "GET",
        "/api/metrics/outcomes",
        outcomes,
        LOOKING,
        Scope.METRICS,
        "Answer what the work came to, by time or target",
        query=Outcomes,
        answers={OK: OutcomesOf},
    ),
    Route(
        "GET",
        CUSTOM,
        custom,
        LOOKING,
        Scope.METRICS,
        "List series of measurements from outside",
        query=Custom,
        answers={OK: Page[CustomSeries]},
    ),
    Route(
        "POST",
        CUSTOM,
        take,
        METERING,
        Scope.METRICS,
        "Store one measurement, or several",
        body=Sent,
        headers=ONCE,
        answers={ACCEPTED: Taken},
    ),
)
