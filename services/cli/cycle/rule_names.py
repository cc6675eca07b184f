"""Tells which names of rules nobody knows, before anything is asked for."""

import re
import subprocess
from collections.abc import Sequence

from services.engines.deterministic.ruff import binary
from services.engines.deterministic.rules import catalogue

UNKNOWN = re.compile(r"Unknown rule selector")


def unknown_rules(names: Sequence[str]) -> tuple[str, ...]:
    """Return those of `names` that are no rule or prefix of rules, neither of ruff nor of our own."""
    own = tuple(catalogue())
    return tuple(name for name in names if not any(c.startswith(name) for c in own) and not _of_ruff(name))


def _of_ruff(name: str) -> bool:
    asked = subprocess.run(
        [binary(), "check", "--isolated", "--no-cache", f"--select={name}", "-"],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    return not (asked.returncode and UNKNOWN.search(asked.stderr))
