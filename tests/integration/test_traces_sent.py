"""Spans reach a collector over OTLP as the usual settings say; one that is away fails nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.cli_place import Place

PATIENCE = 30.0


@contextmanager
def collector() -> Iterator[tuple[str, "Queue[ExportTraceServiceRequest]"]]:
    """An OTLP collector on a free port, and what it is sent."""
    sent: Queue[ExportTraceServiceRequest] = Queue()

    class Collecting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces" and "gzip" not in self.headers.get("Content-Encoding", ""):
                sent.put(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collecting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "home")
    yield made
    assert made.aps("reset", "--yes").code == 0


def test_a_command_is_a_span_and_its_events_carry_it(place: Place) -> None:
    with collector() as (url, sent):
        assert place.aps("pause", "--reason", "a test", OTEL_EXPORTER_OTLP_ENDPOINT=url).code == 0
        (spans,) = sent.get(timeout=PATIENCE).resource_spans
    named = {one.key: one.value.string_value for one in spans.resource.attributes}
    assert named["service.name"] == "aps-cli"
    (one,) = [one for scope in spans.scope_spans for one in scope.spans]
    assert one.name == "aps pause"
    (listed,) = place.aps("events", "list", "--aggregate", "swarm", "--json").said
    _, trace, parent, _ = listed["event"]["traceparent"].split("-")
    assert (trace, parent) == (one.trace_id.hex(), one.span_id.hex())


def test_a_collector_that_is_away_fails_no_command(place: Place) -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    assert place.aps("pause", "--reason", "a test", **away).code == 0


def test_what_cannot_be_sent_as_asked_is_said(place: Place) -> None:
    told = place.aps("pause", "--reason", "a test", OTEL_TRACES_EXPORTER="zipkin")
    assert told.code == 0
    assert "leave out OTEL_TRACES_EXPORTER" in told.err
