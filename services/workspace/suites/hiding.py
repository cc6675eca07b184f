"""Takes secrets out of what a suite run printed, before anybody keeps it or reads it: pure.

Rules
1. A text is cut to its length after that: half a secret has no form that could be found.
2. A test whose name holds a secret has the same other name in every run of the same tests; no two share one.
"""

from collections.abc import Mapping
from dataclasses import replace

from schemas.suite import Outcome
from services.masking.mask import masked
from services.workspace.suites.report import Told

SHOWN = 4000  # of a failure's text
MARGIN = 64 * 1024  # read before the tail of what was printed: no secret is longer


def without_secrets(said: Told) -> Told:
    """Return what the report file says without secrets."""
    names = _names(said.tests)
    return replace(
        said,
        tests={names[id]: outcome for id, outcome in said.tests.items()},
        failures={names.get(id, masked(id)): tail(text, SHOWN) for id, text in said.failures.items()},
        broken=frozenset(names.get(id, masked(id)) for id in said.broken),
    )


def printed(output: bytes, most: int) -> str:
    """Return the last characters of what was printed, without secrets."""
    cut = output[-(most + MARGIN) :]
    text = cut.decode("utf-8", "replace")
    if len(cut) < len(output):
        text = text[text.find("\n") + 1 :]  # what the line's beginning was is not known
    return tail(text, most)


def tail(text: str, most: int) -> str:
    """Return the last characters of a text, without the secrets of all of it."""
    return masked(text)[-most:]


def _names(tests: Mapping[str, Outcome]) -> dict[str, str]:
    names: dict[str, str] = {}
    taken = dict[str, int]()
    for id in sorted(tests):
        name = masked(id)
        if name == id:
            names[id] = id
            continue
        taken[name] = taken.get(name, 0) + 1
        names[id] = name if taken[name] == 1 else f"{name}#{taken[name]}"
    return names
