"""What a secret looks like: the shapes of well-known tokens, and values that look random.

Rules
1. This table is the only one: the gate that refuses secrets and the mask that hides them both read it.
2. A shape may name the part that is secret `value`; else all that it matches is.
3. No shape matches the mask itself, or hiding twice would differ from hiding once.
4. Every repetition is bounded or begins where a word does: a hostile text takes no more than linear time.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

SHAPES: dict[str, re.Pattern[str]] = {
    "private key": re.compile(
        r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[A-Za-z0-9+/=\s\\:,.-]{0,20000}?-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----)?"
    ),
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})"),
    "GitLab token": re.compile(r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,}"),
    "Slack token": re.compile(r"\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}"),
    "Slack webhook": re.compile(r"https://hooks\.slack\.com/services/T\w+/B\w+/\w+"),
    "Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    "Google access token": re.compile(r"\bya29\.[0-9A-Za-z_-]{30,}"),
    "Stripe key": re.compile(r"\b[rs]k_live_[0-9A-Za-z]{16,}"),
    "API key": re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}"),
    "Hugging Face token": re.compile(r"\bhf_[A-Za-z]{34}\b"),
    "PyPI token": re.compile(r"\bpypi-[A-Za-z0-9_-]{50,}"),
    "npm token": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    "SendGrid key": re.compile(r"\bSG\.[\w-]{22}\.[\w-]{43}"),
    "DigitalOcean token": re.compile(r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    "NATS seed": re.compile(r"\bS[ACNOUX][A-Z2-7]{56}\b"),
    "age key": re.compile(r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    "APS token": re.compile(r"(?<![A-Za-z0-9])aps_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"),
    "JSON web token": re.compile(r"(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "password in an address": re.compile(
        r"\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@'\"{}]{1,200}:(?P<value>[^\s/:@'\"{}$<]{6,500})@"
    ),
    "authorization header": re.compile(
        r"(?i)\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)\s+(?P<value>[A-Za-z0-9._~+/=-]{16,})"
    ),
}
_NAMED = r"(?:password|passwd|pwd|secret|token|api_?key|access_?key|private_?key|credential)s?"
_QUOTED = re.compile(
    rf"""(?ix) {_NAMED} \w{{0,40}} ["']? \s{{0,20}}
    (?: : \s{{0,20}} \w{{1,60}} \s{{0,20}} = | [:=] ) \s{{0,20}} [rbf]?
    ["'] (?P<value>[^"'\s]{{8,500}}) ["']"""
)
# As environments and settings files write it: nothing but the value stands behind the sign.
_BARE = re.compile(
    rf"""(?imx) ^ [ \t]* (?:export[ ]+)? [\w.-]{{0,60}}? {_NAMED} [\w-]{{0,40}} [ \t]* [:=] [ \t]*
    (?P<value>[^\s"'()\[\]{{}},;]{{12,500}}) [ \t]* $"""
)
# Long and mixed of all kinds, whatever it is called; digests are hexadecimal, data is longer.
_MIXED = re.compile(r"(?<![\w+/=-])(?!sha\d)[A-Za-z0-9+/_-]{32,200}={0,2}(?![\w+/=-])")
_DIGITS, _FOLDERS, _MIXED_BITS = 4, 4, 4.3
_RANDOM_BITS = 3.0  # per character: words and placeholders stay below, generated values above
_LETTERS_ONLY = re.compile(r"[A-Za-z_.:/-]+")
# A name, a path, an address: what stands there in code rather than in settings.
_CODE = re.compile(r"(?:[A-Za-z_]*\d?){1,3}|[A-Za-z_]\w*(?:\.\w+)+|[.~]*/.*|[a-z]+://.*")


@dataclass(frozen=True)
class Found:
    """A secret in a text: what kind, and from where to where."""

    kind: str
    start: int
    end: int


def secrets_in(text: str) -> list[Found]:
    """Return what looks like a secret, by place; a known shape speaks before a mere assignment."""
    known = [_found(kind, match) for kind, shape in SHAPES.items() for match in shape.finditer(text)]
    assigned = [_found("assigned secret", match) for match in _assigned(text)]
    random = [_found("random value", match) for match in _MIXED.finditer(text) if _is_mixed(match[0])]
    for lesser in (assigned, random):
        known += [one for one in lesser if not any(one.start < k.end and k.start < one.end for k in known)]
    return sorted(set(known), key=lambda one: (one.start, one.end))


def _found(kind: str, match: re.Match[str]) -> Found:
    group = "value" if "value" in match.re.groupindex else 0
    return Found(kind, match.start(group), match.end(group))


def _assigned(text: str) -> Iterator[re.Match[str]]:
    for match in _QUOTED.finditer(text):
        if looks_random(match["value"]):
            yield match
    for match in _BARE.finditer(text):
        if not _CODE.fullmatch(match["value"]) and looks_random(match["value"]):
            yield match


def looks_random(value: str) -> bool:
    """Whether a value is mixed and varied enough to have been generated."""
    if _LETTERS_ONLY.fullmatch(value) or value.startswith(("$", "{", "<", "%")):
        return False
    return _bits(value) >= _RANDOM_BITS


def _is_mixed(value: str) -> bool:
    return (
        any(one.islower() for one in value)
        and any(one.isupper() for one in value)
        and sum(one.isdigit() for one in value) >= _DIGITS
        and value.count("/") < _FOLDERS
        and _bits(value) >= _MIXED_BITS
    )


def _bits(value: str) -> float:
    """Shannon's entropy of the characters, per character."""
    shares = [n / len(value) for n in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares)
