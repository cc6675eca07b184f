"""Gathers the measures of the system: each from its source, and without those that do not answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import asyncpg
import nats.errors
import structlog
from pydantic import ValidationError

from events.store import Broken, Denied, Unavailable
from projections.views.counts import CallsRow
from projections.views.outcomes import OutcomesBy
from services.gateway.desk import GatewayDesk
from services.gateway.health import State
from services.gateway.metering.families import Family, Number, family
from services.gateway.metering.measures import COUNTED, OutcomeMeasures, measures_of
from services.gateway.streams import letter_counts, queues
from services.runtime.ground import now

SECONDS = 3.0  # a source that takes longer is told as not answering
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
AWAY = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    nats.errors.Error,
    Unavailable,
    Broken,
    Denied,
    OSError,
    TimeoutError,
    ValidationError,  # the server refused to say, and said so
)
UNDER_WAY = ("requested", "started")
Samples = Iterable[tuple[Mapping[str, str], Number | None]]
Source = Callable[[GatewayDesk], Awaitable[list[Family]]]

log = structlog.get_logger()


async def gathered(desk: GatewayDesk) -> tuple[Family, ...]:
    """Return every family; `aps_source_up` says which sources answered."""
    found = await asyncio.gather(*(_asked(name, source, desk) for name, source in SOURCES.items()))
    up = family(
        "aps_source_up",
        [({"source": name}, int(answer is not None)) for name, answer in zip(SOURCES, found, strict=True)],
    )
    return up, *(one for answer in found for one in answer or ())


async def _asked(name: str, source: Source, desk: GatewayDesk) -> list[Family] | None:
    try:
        async with asyncio.timeout(SECONDS):
            return await source(desk)
    except AWAY as problem:
        log.info("a source of measures does not answer", source=name, problem=str(problem))
        return None


async def _log(desk: GatewayDesk) -> list[Family]:
    head, at = await desk.book.store.head(), await desk.views.checkpoint()
    return [
        family("aps_log_head", [({}, head)]),
        family("aps_views_position", [({}, at.seq)]),
        family("aps_views_lag", [({}, max(0, head - at.seq))]),
        family("aps_views_poisoned", [({}, len(await desk.views.poisoned()))]),
    ]


async def _work(desk: GatewayDesk) -> list[Family]:
    improvements, claims = await desk.views.improvement_counts(), await desk.views.claim_counts()
    return [
        family(
            "aps_improvements",
            [({"target": one.what, "status": one.state}, one.number) for one in improvements],
        ),
        family("aps_claims", [({"work": one.what, "state": one.state}, one.number) for one in claims]),
    ]


async def _queues(desk: GatewayDesk) -> list[Family]:
    named = [({"role": role}, queue) for role, queue in (await queues(desk.asker.connection)).items()]
    return [
        family("aps_queue_pending", [(who, one.num_pending) for who, one in named]),
        family("aps_queue_unacknowledged", [(who, one.num_ack_pending) for who, one in named]),
    ]


async def _dead_letters(desk: GatewayDesk) -> list[Family]:
    counts = await letter_counts(desk.asker.connection)
    states = [({"state": "open"}, counts.open), ({"state": "closed"}, counts.closed)]
    return [family("aps_dead_letters", states)]


async def _engines(desk: GatewayDesk) -> list[Family]:
    calls, budgets = await desk.views.call_counts(), await desk.views.running_budgets()
    named = [(_caller(one), one) for one in calls if one.outcome not in UNDER_WAY]
    running = [
        ({"engine": one.engine, "model": one.model, "outcome": one.outcome}, one.calls)
        for one in calls
        if one.outcome in UNDER_WAY
    ]
    return [
        family("aps_engine_running", running),
        family("aps_engine_calls", [(who, one.calls) for who, one in named]),
        family("aps_engine_seconds", [(who, one.duration_ms / 1000) for who, one in named]),
        family(
            "aps_engine_tokens",
            [
                ({**who, "kind": kind}, number)
                for who, one in named
                for kind, number in (
                    ("in", one.tokens_in),
                    ("out", one.tokens_out),
                    ("cached", one.tokens_cached),
                )
            ],
        ),
        family("aps_engine_cost_dollars", [(who, one.cost_micros / 1_000_000) for who, one in named]),
        *(
            family(
                f"aps_budget_{name}_dollars",
                [({"budget": one.id}, getattr(one, f"{name}_micros") / 1_000_000) for one in budgets],
            )
            for name in ("limit", "left", "reserved")
        ),
    ]


def _caller(one: CallsRow) -> dict[str, str]:
    return {"engine": one.engine, "model": one.model, "billing": one.billing, "outcome": one.outcome}


async def _outcomes(desk: GatewayDesk) -> list[Family]:
    end = now() + timedelta(days=1)
    sums = await desk.views.outcome_sums(OutcomesBy.TARGET, BEGINNING, end)
    told = [({"target": one.what}, measures_of(one)) for one in sums]
    return [
        family(
            "aps_outcomes",
            [({**who, "outcome": name}, _apart(one, name)) for who, one in told for name in COUNTED],
        ),
        family("aps_suite_runs", [(who, one.suite_runs) for who, one in told]),
        family("aps_suite_seconds", [(who, one.suite_seconds) for who, one in told]),
        family("aps_acceptance_ratio", [(who, one.acceptance) for who, one in told]),
        family("aps_change_failure_ratio", [(who, one.change_failure) for who, one in told]),
        family("aps_lead_time_seconds", _quantiles(told, "lead")),
        family("aps_time_to_restore_seconds", _quantiles(told, "restore")),
        family("aps_cost_per_landed_dollars", [(who, one.dollars_per_landed) for who, one in told]),
    ]


def _apart(one: OutcomeMeasures, name: str) -> int:
    """Return a count without what another name counts, so that all may be added up."""
    number: int = getattr(one, name)
    return number - one.partly_landed if name == "landed" else number


def _quantiles(told: Iterable[tuple[dict[str, str], OutcomeMeasures]], what: str) -> Samples:
    return [
        ({**who, "quantile": quantile}, getattr(one, f"{what}_seconds_{name}"))
        for who, one in told
        for quantile, name in (("0.5", "p50"), ("0.9", "p90"))
    ]


async def _health(desk: GatewayDesk) -> list[Family]:
    components = (await desk.watch.last()).health.components
    return [
        family(
            "aps_component_state",
            [
                ({"component": one.name, "state": state.value}, int(one.state is state))
                for one in components
                for state in State
            ],
        ),
        family(
            "aps_component_seconds",
            [({"component": one.name}, one.milliseconds / 1000) for one in components],
        ),
    ]


async def _http(desk: GatewayDesk) -> list[Family]:
    counts, seconds = desk.metering.traffic.counts, desk.metering.traffic.seconds
    named = [
        ({"method": kind.method, "route": kind.route, "status": str(kind.status)}, kind)
        for kind in sorted(counts)
    ]
    return [
        family("aps_http_requests", [(who, counts[kind]) for who, kind in named]),
        family("aps_http_request_seconds", [(who, seconds[kind]) for who, kind in named]),
    ]


async def _custom(desk: GatewayDesk) -> list[Family]:
    told = [
        ({**dict(series.labels), "name": series.name, "unit": series.unit}, tally)
        for series, tally in await desk.metering.kept.series()
    ]
    return [
        family("aps_custom_count", [(who, tally.count) for who, tally in told]),
        family("aps_custom_sum", [(who, float(tally.sum)) for who, tally in told]),
        family("aps_custom_min", [(who, float(tally.least)) for who, tally in told]),
        family("aps_custom_max", [(who, float(tally.greatest)) for who, tally in told]),
        family("aps_custom_last", [(who, float(tally.last)) for who, tally in told]),
        family("aps_custom_left_out", [({}, (await desk.metering.kept.reached()).left_out)]),
    ]


SOURCES: dict[str, Source] = {
    "log": _log,
    "work": _work,
    "queues": _queues,
    "dead_letters": _dead_letters,
    "engines": _engines,
    "outcomes": _outcomes,
    "health": _health,
    "http": _http,
    "custom": _custom,
}
