"""A trace leads from who asked first to the end; it is recorded where that is asked for."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from structlog.contextvars import bound_contextvars, get_contextvars

from events.envelope import Cause
from events.memory import InMemoryArtefacts, InMemoryEventStore
from events.store import Recorded
from events.swarm import ALL, SWARM, Paused
from services.runtime import trace_export
from services.runtime.claims import Later
from services.runtime.consumer import react
from services.runtime.log import Log, answering
from services.runtime.spans import Spans
from services.runtime.trace_export import obstacle
from services.runtime.tracing import apart, current, record_with, span, valid
from tests.projection_facts import START

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    """What is recorded while spans are."""
    exporter = InMemorySpanExporter()
    record_with(Spans(SimpleSpanProcessor(exporter), "cli"))
    yield exporter
    record_with(None)


def trace_of(one: ReadableSpan) -> str:
    assert one.context is not None
    return f"{one.context.trace_id:032x}"


async def event(traceparent: str) -> Recorded:
    """An event of a trace."""
    book = Log(InMemoryEventStore(lambda: START), InMemoryArtefacts(), lambda: START)
    cause = Cause("cli@test", "aps/cli", str(UUID(int=1)), traceparent=traceparent)
    await book.record(SWARM, ALL, Paused(reason="a test"), cause=cause)
    return (await book.store.read(SWARM.name, ALL))[0][0]


class Answering:
    """A role that notes what its answers would carry."""

    role = "qa"

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.carried = ""

    async def react(self, event: Recorded) -> None:
        self.carried = answering(event, "qa@test").traceparent
        if self.trouble:
            raise self.trouble


def test_unrecorded_what_was_sent_is_handed_on_and_stands_in_the_lines_of_the_log() -> None:
    with span("something", SENT):
        assert current() == SENT
        assert get_contextvars() == {"trace_id": TRACE, "span_id": SPAN}
        with apart():
            assert current() == ""
            assert get_contextvars() == {}
        assert get_contextvars()["trace_id"] == TRACE
    assert (current(), get_contextvars()) == ("", {})


async def test_unrecorded_an_answer_carries_what_its_event_carries() -> None:
    role = Answering()
    await react(role, await event(SENT))
    assert role.carried == SENT
    await react(role, await event(""))
    assert role.carried == ""


async def test_an_answer_is_a_child_of_the_reaction_and_the_reaction_of_what_caused_the_event(
    exported: InMemorySpanExporter,
) -> None:
    role = Answering()
    with bound_contextvars(service="qa"):
        await react(role, await event(SENT))
    (one,) = exported.get_finished_spans()
    assert one.context is not None
    assert one.parent is not None
    assert role.carried == f"00-{TRACE}-{one.context.span_id:016x}-01"
    assert (trace_of(one), f"{one.parent.span_id:016x}") == (TRACE, SPAN)
    assert one.name == "qa: aps.swarm.paused.v1"
    assert one.resource.attributes["service.name"] == "aps-qa"
    assert one.attributes == {"aps.subject": "swarm/all", "aps.seq": "1"}


async def test_an_event_without_a_trace_begins_one_whatever_is_done_around_it(
    exported: InMemorySpanExporter,
) -> None:
    role = Answering()
    with span("aps up"):
        await react(role, await event(""))
    reaction, command = exported.get_finished_spans()
    assert reaction.parent is None
    assert trace_of(reaction) != trace_of(command)
    assert trace_of(reaction) in role.carried


async def test_what_fails_is_told_and_what_is_put_off_is_no_failure(exported: InMemorySpanExporter) -> None:
    for trouble in (Later(1.0, "busy"), RuntimeError("broken")):
        with pytest.raises(type(trouble)):
            await react(Answering(trouble), await event(SENT))
    later, broken = exported.get_finished_spans()
    assert later.status.status_code is StatusCode.UNSET
    assert broken.status.status_code is StatusCode.ERROR


def test_lines_of_the_log_carry_the_span_they_are_written_in(exported: InMemorySpanExporter) -> None:
    with span("outer", SENT):
        outer = get_contextvars()
        with span("inner"):
            inner = get_contextvars()
    assert outer["trace_id"] == inner["trace_id"] == TRACE
    assert len({SPAN, outer["span_id"], inner["span_id"]}) == 3
    assert [one.name for one in exported.get_finished_spans()] == ["inner", "outer"]


@pytest.mark.parametrize(
    "sent", ["", "00-x", SENT.upper(), f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", SENT + "\r\nX: y"]
)
def test_what_is_no_traceparent_is_not_taken(sent: str) -> None:
    assert valid(sent) == ""
    with span("something", sent):
        assert current() == ""


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "x"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, ""),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ""),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, None),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, None),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, trace_export.ONLY_OTLP),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, trace_export.ONLY_HTTP),
    ],
)
def test_spans_are_recorded_where_the_usual_settings_ask_for_it(
    given: dict[str, str], found: str | None
) -> None:
    assert obstacle(given) == found


def test_unasked_nothing_of_opentelemetry_is_loaded() -> None:
    tried = (
        "import sys; from services.runtime import consumer, trace_export as t; assert not t.begin('pm', {});"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", tried], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
