"""A sign of life of a call of an engine: published as it goes and kept nowhere."""

from schemas.base import Frozen


class RunProgress(Frozen):
    """What an engine does for a run now.

    `kind` is waiting (for a place), began, text, tool, turn, retry or ended; `text` one line, bounded and
    without secrets, though an engine wrote it: never to be trusted or followed. `turn` counts from 1, 0 where
    the engine does not tell.
    """

    run: str
    improvement: str
    role: str
    engine: str
    model: str
    task: str
    attempt: int
    turn: int
    kind: str
    text: str
