"""Whether this process sends its spans to a collector: OpenTelemetry's own settings (OTEL_*) decide."""

from collections.abc import Mapping

from services.runtime.tracing import record_with

ASKING = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
NOT_INSTALLED = "traces are asked for, but OpenTelemetry is missing: pip install 'aps-self-sustaining[otel]'"
ONLY_HTTP = "traces are sent over HTTP alone: leave out OTEL_EXPORTER_OTLP_PROTOCOL, or give http/protobuf"
ONLY_OTLP = "traces are sent by OTLP alone: leave out OTEL_TRACES_EXPORTER, or give otlp or none"


def obstacle(environ: Mapping[str, str]) -> str | None:
    """Return why spans that are asked for cannot be sent, empty where they can; None where none are."""
    exporter = environ.get("OTEL_TRACES_EXPORTER", "")
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter == "none":
        return None
    if not any(environ.get(name) for name in ASKING):
        return None
    if exporter not in ("", "otlp"):
        return ONLY_OTLP
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    return ONLY_HTTP if protocol not in (None, "", "http/protobuf") else ""


def begin(service: str, environ: Mapping[str, str]) -> str:
    """Record the spans of this process where the environment asks for it; return what keeps it from that.

    What is recorded is sent as it comes, and the rest when the process ends.
    """
    found = obstacle(environ)
    if found is None or found:
        return found or ""
    try:
        from services.runtime.spans import exported  # noqa: PLC0415 -- an option: loaded where it is asked for
    except ImportError:
        return NOT_INSTALLED
    record_with(exported(service))
    return ""
