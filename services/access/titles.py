"""What a token may be called: one line with something to see in it, for lists and for the audit."""

import unicodedata

LONGEST = 200
SEEN = "LNPS"  # letters, numbers, punctuation, symbols: no spaces, no marks alone, nothing of no width
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and symbols by their category, drawn as nothing
BREAKING = ("Cc", "Zl", "Zp", "Cs")


def fit_title(text: str) -> str:
    """Return a title as it was given. Raises `ValueError` for what is none."""
    if len(text) > LONGEST:
        raise ValueError(f"a title has no more than {LONGEST} characters")
    if any(unicodedata.category(one) in BREAKING for one in text):
        raise ValueError("a title is one line without control characters")
    if not any(unicodedata.category(one)[0] in SEEN and one not in BLANK for one in text):
        raise ValueError("a title has something to see in it, not only spaces")
    return text
