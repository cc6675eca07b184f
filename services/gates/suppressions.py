"""Comments that silence a checker, whichever it is: each is a finding hidden instead of fixed."""

import io
import re
import tokenize
from collections import Counter
from functools import lru_cache

from services.gates.strictness import KEPT

_SUPPRESSIONS = {
    "noqa": re.compile(r"#\s*(?:ruff:\s*|flake8[:-]\s*)?noqa", re.IGNORECASE),
    "ruff: disable": re.compile(r"#\s*ruff:\s*(?:disable|ignore|file-ignore)", re.IGNORECASE),
    "type: ignore": re.compile(
        r"#\s*(?:type|pyright|mypy|ty|pyre|pyrefly):\s*ignore|#\s*pyre-", re.IGNORECASE
    ),
    "mypy: disable": re.compile(
        r"#\s*mypy:\s*(?:disable|allow|no-|follow)|#\s*pyright:\s*(?:basic|off|report\w+\s*=)", re.IGNORECASE
    ),
    "pragma: no cover": re.compile(r"#\s*pragma:\s*no\s*(?:cover|branch)|#\s*no-?cover", re.IGNORECASE),
    "pragma: allowlist": re.compile(
        r"#\s*pragma:\s*(?:allowlist|whitelist)|gitleaks:\s*allow", re.IGNORECASE
    ),
    "nosec": re.compile(r"#\s*(?:nosec|nosemgrep|noboundary|bandit:)|#\s*NOSONAR|#\s*lgtm\b", re.IGNORECASE),
    "pylint: disable": re.compile(r"#\s*pylint:\s*(?:disable|skip-file)", re.IGNORECASE),
    "isort: skip": re.compile(r"#\s*isort:\s*(?:skip|off)", re.IGNORECASE),
    "noinspection": re.compile(r"#\s*noinspection"),
}
_UNCHECKED = re.compile(r"^\s*@(?:\w+\.)*no_type_check\b", re.MULTILINE)


@lru_cache(KEPT)
def suppressions(source: str) -> Counter[str]:
    """Count what silences a checker, by kind; in a file that does not parse, in its text."""
    found = Counter({"no_type_check": number} if (number := len(_UNCHECKED.findall(source))) else {})
    if not any(shape.search(source) for shape in _SUPPRESSIONS.values()):
        return found
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    except (tokenize.TokenError, SyntaxError):
        comments = source.splitlines()
    found.update(kind for text in comments for kind, shape in _SUPPRESSIONS.items() if shape.search(text))
    return found
