"""Whether a function can still be called in every way it could be called before.

Signatures are written as `services.gates.public_names` writes them: `def(a, b=, *, c=)`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class _Parameters:
    """`positional` in order, the first `only` of them by position alone; `keyword` by name alone."""

    head: str
    positional: tuple[str, ...]
    only: int
    keyword: frozenset[str]
    rest: bool
    named_rest: bool


def takes_all_of(now: str, was: str) -> bool:
    """Say whether every call that `was` took is taken by `now` with the same meaning."""
    before, after = _read(was), _read(now)
    if before is None or after is None:
        return was == now
    kept = zip(before.positional, after.positional, strict=False)
    return (
        (before.head, before.only) == (after.head, after.only)
        and len(after.positional) >= len(before.positional)
        and all(new in (old, _optional(old)) for old, new in kept)
        and _all_optional(after.positional[len(before.positional) :])
        and not (before.rest and len(after.positional) > len(before.positional))
        and after.rest >= before.rest
        and after.named_rest >= before.named_rest
        and _keywords_kept(before, after)
    )


def _keywords_kept(before: _Parameters, after: _Parameters) -> bool:
    known = after.keyword | frozenset(after.positional[after.only :])
    added = {name for name in after.keyword if name.removesuffix("=") not in _bare(before.keyword)}
    return all(name in known or _optional(name) in known for name in before.keyword) and _all_optional(added)


def _read(text: str) -> _Parameters | None:
    head, bracket, inside = text.partition("(")
    if not bracket or not inside.endswith(")"):
        return None
    words = [word for word in inside[:-1].split(", ") if word]
    star = next((n for n, word in enumerate(words) if word.startswith("*")), len(words))
    positional = tuple(word for word in words[:star] if word != "/")
    return _Parameters(
        head,
        positional,
        words.index("/") if "/" in words else 0,
        frozenset(word for word in words[star:] if not word.startswith("*")),
        any(word.startswith("*") and word != "*" and not word.startswith("**") for word in words),
        any(word.startswith("**") for word in words),
    )


def _optional(name: str) -> str:
    return name if name.endswith("=") else f"{name}="


def _bare(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.removesuffix("=") for name in names)


def _all_optional(names: tuple[str, ...] | set[str]) -> bool:
    return all(name.endswith("=") for name in names)
