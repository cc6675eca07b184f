"""When a loop of attempts is to end: too many, or no progress."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

_VARYING = (
    (re.compile(r"0x[0-9a-fA-F]+"), "0x"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "#"),
    (re.compile(r"(?:/[^\s/:'\"]+)+/(?=[^\s/])"), "/"),
    (re.compile(r"\d+(?:\.\d+)?\s*(?:ms|s|seconds?)\b"), "0s"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True)
class Tried:
    """One attempt: the digest of what it changed, and of how it failed (see `failure_digest`)."""

    change: str
    failure: str


@dataclass(frozen=True)
class Bound:
    """How many attempts there are, and how often the same failure may come back."""

    attempts: int = 3
    same_failures: int = 2


def change_digest(patch: bytes) -> str:
    """Return what tells one change from another: where lines stand and how much surrounds them does not."""
    lines = [
        line for line in patch.splitlines() if not line.startswith((b"@@", b"index ", b"From ", b"Date: "))
    ]
    kept = [line for line in lines if line.startswith((b"+", b"-", b"diff "))]
    return hashlib.sha256(b"\n".join(kept or lines)).hexdigest()


def failure_digest(report: str) -> str:
    """Return what tells one failure from another: what varies (see `unvarying`) does not."""
    return hashlib.sha256(unvarying(report).encode()).hexdigest()


def unvarying(text: str) -> str:
    """Return a text without what is otherwise each time: folders, addresses, object ids and durations."""
    for pattern, stands in _VARYING:
        text = pattern.sub(stands, text)
    return "\n".join(line.strip() for line in text.splitlines())


def why_stop(tried: Sequence[Tried], bound: Bound) -> str | None:
    """Return why there is to be no further attempt after those `tried`, oldest first; None: go on."""
    if not tried:
        return None
    last, earlier = tried[-1], tried[:-1]
    for number, one in enumerate(earlier, start=1):
        if one.change == last.change:
            return f"no progress: attempt {len(tried)} made the same change as attempt {number}"
    alike = sum(one.failure == last.failure for one in tried)
    if alike >= bound.same_failures:
        return f"no progress: {alike} attempts failed in the same way"
    if len(tried) >= bound.attempts:
        return f"{len(tried)} attempts failed, and no more are allowed"
    return None
