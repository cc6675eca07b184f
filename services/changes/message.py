"""The commit message of a change: what a reviewer reads first, and trailers a machine reads."""

import textwrap

from events.improvement_facts import Discovered
from services.workspace.git.repository import Identity

AUTHOR = Identity("APS Developer", "developer@aps.invalid")
SUBJECT_WIDTH = 72


def commit_message(id: str, discovered: Discovered, fixed: int) -> str:
    """Return the message of the commit that fixes `fixed` findings of an improvement."""
    suffix = f" ({discovered.rule})"
    subject = textwrap.shorten(discovered.title, SUBJECT_WIDTH - len(suffix), placeholder="…") + suffix
    body = textwrap.fill(discovered.why, SUBJECT_WIDTH)
    trailers = f"Improvement-Id: {id}\nRule: {discovered.rule}\nFindings: {fixed}"
    return f"{subject}\n\n{body}\n\n{trailers}\n"


def rollback_message(id: str, discovered: Discovered, reason: str) -> str:
    """Return the message of the commit that takes an improvement back."""
    subject = textwrap.shorten(f"Take back: {discovered.title}", SUBJECT_WIDTH, placeholder="…")
    body = textwrap.fill(reason, SUBJECT_WIDTH)
    return f"{subject}\n\n{body}\n\nRolls-Back: {id}\nRule: {discovered.rule}\n"
