"""Spans as OpenTelemetry records them, by its own settings (OTEL_*). Loaded only where they are asked for."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.runtime.tracing import HEADER, Expected

SCOPE = "aps"
NAMESPACE = "aps"
_context = TraceContextTextMapPropagator()


class Spans:
    """Records the spans of the services of one process, each under the name of its own."""

    def __init__(self, processor: SpanProcessor, service: str) -> None:
        """`service` is the name where the log's lines carry no other."""
        self._processor = processor
        self._service = service
        self._tracers: dict[str, Tracer] = {}

    @contextmanager
    def span(self, name: str, parent: str, about: Mapping[str, str], expected: Expected) -> Iterator[str]:
        """Open a span; being cancelled is no failure, and neither is what is `expected`."""
        above = _context.extract({HEADER: parent} if parent else {})
        one = self._tracer().start_span(name, context=above, attributes=dict(about))
        ended: Expected = (asyncio.CancelledError, *expected)
        context = one.get_span_context()
        own = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        try:
            yield own
        except ended as end:
            one.add_event("ended early", {"why": str(end) or type(end).__name__})
            raise
        except BaseException as failure:
            one.record_exception(failure)
            one.set_status(Status(StatusCode.ERROR, type(failure).__name__))
            raise
        finally:
            one.end()

    def _tracer(self) -> Tracer:
        service = str(structlog.contextvars.get_contextvars().get("service") or self._service)
        if service not in self._tracers:
            named = Resource({"service.name": f"aps-{service}", "service.namespace": NAMESPACE})
            provider = TracerProvider(
                resource=Resource.create().merge(named).merge(OTELResourceDetector().detect()),
                shutdown_on_exit=not self._tracers,  # they share what is shut down
            )
            provider.add_span_processor(self._processor)
            self._tracers[service] = provider.get_tracer(SCOPE)
        return self._tracers[service]


def exported(service: str) -> Spans:
    """Return what sends spans to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names."""
    return Spans(BatchSpanProcessor(OTLPSpanExporter()), service)
