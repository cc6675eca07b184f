"""What may be asked for in words: the same rule at the command line and through the API."""

LONGEST = 8000
ALLOWED_CONTROLS = "\n\r\t"
DETERMINISTIC = "deterministic"
NOT_IN_WORDS = (
    "the deterministic engine fixes what rules find (aps improve); what is asked in words it cannot"
    " do: choose an AI engine"
)


def why_unfit(words: str) -> str:
    """Say why a request cannot be taken up as it is worded; empty where it can."""
    if not words.strip():
        return "nothing is asked for: say what should be better"
    if len(words) > LONGEST:
        return f"the request has {len(words)} characters, at most {LONGEST} are read: ask for one thing"
    if any(_is_control(c) for c in words):
        return "the request holds control characters"
    return ""


def _is_control(character: str) -> bool:
    code = ord(character)
    return (code < 32 and character not in ALLOWED_CONTROLS) or 127 <= code < 160
