"""The measures of the system by name: what each means, and how they are told to Prometheus."""

from collections.abc import Iterable, Mapping
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from schemas.base import Frozen

TEXT = CONTENT_TYPE_PLAIN_0_0_4
Kind = Literal["gauge", "counter"]
Number = int | float

# What a counter counts only grows as long as the log and the tallies are there.
MEANING: dict[str, tuple[Kind, str]] = {
    "aps_source_up": ("gauge", "Whether what measures are taken from answered, 1 or 0"),
    "aps_log_head": ("gauge", "Sequence of the last event of the log"),
    "aps_views_position": ("gauge", "Sequence of the last event that the views hold"),
    "aps_views_lag": ("gauge", "Events of the log that the views do not hold yet"),
    "aps_views_poisoned": ("gauge", "Events that could not be applied to the views"),
    "aps_improvements": ("gauge", "Improvements by target and status"),
    "aps_claims": ("gauge", "Claims on work by kind of work and state"),
    "aps_queue_pending": ("gauge", "Events that a role was not given yet"),
    "aps_queue_unacknowledged": ("gauge", "Events that a role was given and is not done with"),
    "aps_dead_letters": ("gauge", "Dead letters by state, open or closed"),
    "aps_engine_running": ("gauge", "Calls of engines that are under way"),
    "aps_engine_calls": ("counter", "Calls of engines by what came of them"),
    "aps_engine_seconds": ("counter", "Time that calls of engines took"),
    "aps_engine_tokens": ("counter", "Tokens that engines read, wrote, and took from their cache"),
    "aps_engine_cost_dollars": ("counter", "What calls of engines cost, by who pays"),
    "aps_budget_limit_dollars": ("gauge", "Limit of each budget of a day or an engine that still runs"),
    "aps_budget_left_dollars": ("gauge", "What is left in it"),
    "aps_budget_reserved_dollars": ("gauge", "What running calls hold of it"),
    "aps_outcomes": ("counter", "What the work came to, by target and outcome"),
    "aps_suite_runs": ("counter", "Runs of a target's suite"),
    "aps_suite_seconds": ("counter", "Time that runs of a target's suite took"),
    "aps_acceptance_ratio": ("gauge", "Landed among all improvements that came to an end"),
    "aps_change_failure_ratio": ("gauge", "Taken back or failed among all that were deployed"),
    "aps_lead_time_seconds": ("gauge", "From discovery to landing, by quantile"),
    "aps_time_to_restore_seconds": ("gauge", "From a failure's being known to its being undone, by quantile"),
    "aps_cost_per_landed_dollars": ("gauge", "What engines were paid, for each improvement that landed"),
    "aps_component_state": ("gauge", "State of each component: 1 for the one it is in"),
    "aps_component_seconds": ("gauge", "How long each component took to answer"),
    "aps_http_requests": ("counter", "Requests to this gateway by route and status"),
    "aps_http_request_seconds": ("counter", "Time that requests to this gateway took"),
    "aps_custom_count": ("counter", "Measurements of each series from outside"),
    "aps_custom_sum": ("gauge", "Their sum"),
    "aps_custom_min": ("gauge", "The least of them"),
    "aps_custom_max": ("gauge", "The greatest of them"),
    "aps_custom_last": ("gauge", "The latest of them"),
    "aps_custom_left_out": ("counter", "Measurements that would have begun one series too many"),
}


class Sample(Frozen):
    """One value, and what tells it from others of its family."""

    labels: dict[str, str]
    value: Number


class Family(Frozen):
    """All values of one name."""

    name: str
    kind: Kind
    meaning: str
    samples: tuple[Sample, ...]


def family(name: str, samples: Iterable[tuple[Mapping[str, str], Number | None]]) -> Family:
    """Return a family of the table; what is None was not measured."""
    kind, meaning = MEANING[name]
    taken = tuple(Sample(labels=dict(labels), value=value) for labels, value in samples if value is not None)
    return Family(name=name, kind=kind, meaning=meaning, samples=taken)


class _Told(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for one in self._families:
            counts = one.kind == "counter"
            made = (CounterMetricFamily if counts else GaugeMetricFamily)(one.name, one.meaning)
            for sample in one.samples:
                made.add_sample(f"{one.name}_total" if counts else one.name, sample.labels, sample.value)
            yield made


def exposition(families: Iterable[Family]) -> bytes:
    """Return the families in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(families))
    return generate_latest(registry)
