"""Says in words why something could not be done with an event, for whoever reads a dead letter.

Rules
1. What does not fit a form is told field by field; what says itself what it is, in its own words.
2. An error of this program's own is told with its place: the names that Python has for it help nobody else.
"""

from types import TracebackType

from pydantic import ValidationError

FIELDS_TOLD = 3
OWN = (AssertionError, AttributeError, LookupError, NameError, NotImplementedError, TypeError)


def in_words(problem: BaseException, otherwise: str = "") -> str:
    """Return why, without the names of Python's types; `otherwise` says it of an error of our own."""
    if isinstance(problem, ValidationError):
        return _fields(problem)
    if not isinstance(problem, OWN) and (text := str(problem)):
        return text
    return otherwise or f"an error of this program's own{place_of(problem)}"


def _fields(problem: ValidationError) -> str:
    errors = problem.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{'.'.join(map(str, one['loc'])) or 'it'}: {_message(one['msg'])}" for one in errors]
    more = f"; and {len(told) - FIELDS_TOLD} more" if len(told) > FIELDS_TOLD else ""
    return "; ".join(told[:FIELDS_TOLD]) + more


def _message(text: str) -> str:
    said = text.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return said[:1].lower() + said[1:]


def place_of(problem: BaseException) -> str:
    """Return where it was raised, as the end of a sentence."""
    trace: TracebackType | None = problem.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f", in {trace.tb_frame.f_globals.get('__name__', 'a module')} at line {trace.tb_lineno}"
