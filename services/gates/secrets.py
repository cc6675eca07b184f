"""The gate that keeps secrets out of a change: well-known token shapes, and values that look random.

Only added lines are read. The evidence names file, line and kind, never the value.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from unidiff import PatchSet

from schemas.improvement import GateResult
from services.gates.evidence import counted, verdict

SECRETS_ABSENT = "secrets_absent"
VERSION = "1"

_SHAPES = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})"),
    "GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "Slack token": re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    "Slack webhook": re.compile(r"https://hooks\.slack\.com/services/T\w+/B\w+/\w+"),
    "Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "Stripe key": re.compile(r"\b[rs]k_live_[0-9A-Za-z]{16,}"),
    "API key": re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}"),
    "PyPI token": re.compile(r"\bpypi-[A-Za-z0-9_-]{50,}"),
    "npm token": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    "JSON web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "password in an address": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}]+:[^\s/:@'\"{}$<]{6,}@"),
}
_ASSIGNED = re.compile(
    r"""(?ix) (?:password|passwd|pwd|secret|token|api_?key|private_?key|credential)s? \w* ["']? \s*
    (?: : \s* \w+ \s* = | [:=] ) \s* [rbf]? ["'] (?P<value>[^"'\s]{8,}) ["']"""
)
_RANDOM_BITS = 3.0  # per character: words and placeholders stay below, generated values above
_LETTERS_ONLY = re.compile(r"[A-Za-z_.:/-]+")


@dataclass(frozen=True)
class AddedLine:
    """A line that a change adds; `number` counts from 1 in the new file."""

    path: str
    number: int
    text: str


def added_lines(diff: str) -> tuple[AddedLine, ...]:
    """Choose the added lines of a unified diff."""
    return tuple(
        AddedLine(file.path, line.target_line_no, line.value.rstrip("\n"))
        for file in PatchSet(diff)
        for hunk in file
        for line in hunk
        if line.is_added
    )


def secrets_absent(lines: Iterable[AddedLine]) -> GateResult:
    """Refuse a change that adds something that looks like a secret."""
    seen = tuple(lines)
    offences = [
        f"{line.path}:{line.number}: {kind} {_masked(value)}"
        for line in seen
        for kind, value in _secrets(line.text)
    ]
    return verdict(SECRETS_ABSENT, VERSION, offences, f"none in {counted(len(seen), 'added line')}")


def _secrets(text: str) -> list[tuple[str, str]]:
    """Each secret of a line with its kind; a known shape speaks before a mere assignment."""
    known = [(kind, match[0]) for kind, shape in _SHAPES.items() if (match := shape.search(text))]
    assigned = _ASSIGNED.search(text)
    if not known and assigned and _looks_random(assigned["value"]):
        return [("assigned secret", assigned["value"])]
    return known


def _looks_random(value: str) -> bool:
    """Whether a value is mixed and varied enough to have been generated."""
    if _LETTERS_ONLY.fullmatch(value) or value.startswith(("$", "{", "<", "%")):
        return False
    shares = [n / len(value) for n in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares) >= _RANDOM_BITS


def _masked(value: str) -> str:
    """Say how long the value is; not one character of it."""
    return f"({len(value)} characters, hidden)"
