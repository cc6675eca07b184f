"""The trace that something belongs to, carried from who asked first through every service to the end.

Rules
1. A trace is told by the `traceparent` of W3C Trace Context: it comes with a request, stands in the envelope
   of each event, and leads from there to what answers the event.
2. Spans are recorded only where OpenTelemetry's own settings ask for it (`services/runtime/spans.py`). Where
   they do not nothing of it is loaded, and what was sent is handed on all the same.
3. Lines of the log carry `trace_id` and `span_id` of what they were written in.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Protocol

from structlog.contextvars import (
    bind_contextvars,
    bound_contextvars,
    get_contextvars,
    unbind_contextvars,
)

HEADER = "traceparent"
IN_LINES = ("trace_id", "span_id")

Expected = tuple[type[BaseException], ...]
NOTHING: Mapping[str, str] = MappingProxyType({})

_traceparent = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_here: ContextVar[str] = ContextVar("traceparent", default="")


class Recording(Protocol):
    """Records spans: each is open for the time of a block, which is given its traceparent."""

    def span(
        self, name: str, parent: str, about: Mapping[str, str], expected: Expected
    ) -> AbstractContextManager[str]:
        """Open a span; what is `expected` is no failure of it."""
        ...


class _Recorder:
    """The one recording of this process, if there is one."""

    recording: Recording | None = None


def record_with(recording: Recording | None) -> None:
    """Record the spans of this process from now on; None records none."""
    _Recorder.recording = recording


def current() -> str:
    """Return the traceparent of what is being done here; empty outside of any trace."""
    return _here.get()


def valid(traceparent: str) -> str:
    """Return a traceparent that somebody sent; empty where it is none."""
    return traceparent if _traceparent.fullmatch(traceparent) else ""


@contextmanager
def span(
    name: str, parent: str | None = None, expected: Expected = (), about: Mapping[str, str] = NOTHING
) -> Iterator[None]:
    """Do something as a part of the trace of `parent` (None: of what is done here; empty: a new one).

    What is `expected` to be raised is no failure; `about` says more of what is done.
    """
    before = _here.get() if parent is None else valid(parent)
    if _Recorder.recording is None:
        if before == _here.get():  # mostly no trace within none: nothing is to be done
            yield
            return
        with _within(before):
            yield
        return
    with _Recorder.recording.span(name, before, about, expected) as own, _within(own):
        yield


@contextmanager
def apart() -> Iterator[None]:
    """Do something that belongs to no trace, whatever it was begun in."""
    with _within(""):
        yield


@contextmanager
def _within(traceparent: str) -> Iterator[None]:
    token = _here.set(traceparent)
    try:
        with _lines_of(traceparent):
            yield
    finally:
        _here.reset(token)


@contextmanager
def _lines_of(traceparent: str) -> Iterator[None]:
    """Let the lines of the log carry a trace, or none."""
    if traceparent:
        _, trace, own, _ = traceparent.split("-")
        with bound_contextvars(trace_id=trace, span_id=own):
            yield
        return
    before = {name: value for name, value in get_contextvars().items() if name in IN_LINES}
    unbind_contextvars(*IN_LINES)
    try:
        yield
    finally:
        bind_contextvars(**before)
