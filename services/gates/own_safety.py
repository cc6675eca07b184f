"""Which paths hold what keeps this product safe: a change of one always waits for a person, at any autonomy.

Rules
1. Of this product: prompts, gates, the sandbox, who may say what, how engines are chosen and asked, what is
   hidden, and what decides on all that. `tests/unit/test_own_safety.py` holds every row of the table to
   a file that is there.
2. Of any project: files that engines take for instructions or permissions.
3. Other projects may use the same names: then a person is asked once too often, never once too seldom.
"""

import re
from collections.abc import Iterable

from services.gates.evidence import listed

_OURS: tuple[tuple[str, str], ...] = (
    ("prompts", r"services/prompting/|(?:services/.*/)?prompts/.*\.md$|services/engines/.*\.md$"),
    ("gates", r"services/gates/|services/qa/|services/gherkin/"),
    (
        "the sandbox",
        r"services/sandbox/|services/workspace/suites/suite\.py$|services/workspace/suites/report_plugin\.py$",
    ),
    ("permissions", r"events/rights\.py$|events/catalogue\.py$|nats/.*\.(?:conf|json)$"),
    ("AI settings", r"services/engines/|services/asking/|services/runtime/settings\.py$|\.env\.example$"),
    ("what is kept secret", r"services/masking/|services/vault/"),
    ("what decides on landing", r"services/devops/|services/architect/risk\.py$|schemas/risk\.py$"),
)
_ANYWHERE: tuple[tuple[str, str], ...] = (
    (
        "instructions to engines",
        r"(?:CLAUDE|AGENTS?|GEMINI|COPILOT)(?:\.local)?\.md$|copilot-instructions\.md$|\.(?:cursor|windsurf|cline)rules$"
        r"|\.(?:claude|cursor|codex|gemini|continue|aider|windsurf|roo)/|\.aider[^/]*$|\.?mcp\.json$",
    ),
)
_TABLE = tuple(
    (
        what,
        re.compile(
            rf"(?:^|/)(?:{shape})" if anywhere else rf"^(?:{shape})", re.IGNORECASE if anywhere else 0
        ),
    )
    for anywhere, rows in ((False, _OURS), (True, _ANYWHERE))
    for what, shape in rows
)


def needs_a_person(paths: Iterable[str]) -> str | None:
    """Return why a change of `paths` waits for a person, in one sentence; None when it need not."""
    reasons: dict[str, list[str]] = {}
    for path in sorted(set(paths)):
        for what, shape in _TABLE:
            if shape.search(path):
                reasons.setdefault(what, []).append(path)
                break
    if not reasons:
        return None
    said = "; ".join(f"{what} ({listed(touched, 3)})" for what, touched in reasons.items())
    return f"it touches {said}"
