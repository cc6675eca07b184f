"""Shows what engines do while they do it."""

import asyncio

import typer

from schemas.run_progress import RunProgress
from services.cli.cycle.listening import ENDED, listening, said_of
from services.cli.desk import LogDesk, at_log, not_found
from services.cli.session import Exit, Stop, print_json_line, say
from services.cli.work.cancelling import known_runs, run_named
from services.runtime.settings import Settings

LOOK_SECONDS = 1.0  # who was killed never says that the call ended


async def tail(settings: Settings, id: str, *, as_json: bool) -> None:
    """Say each word about a run until it is over, or about all runs for ever."""
    words = asyncio.Queue[RunProgress]()
    async with at_log(settings) as desk:
        state = await run_named(desk, id) if id else None
        if state is None or (state.requested is not None and state.ended is None):
            async with listening(desk.connection, words.put_nowait, id or "*"):
                say("waiting for words of engines; Ctrl-C ends this")
                while (word := await _next(desk, words, id)) is not None:
                    _tell(word, as_json=as_json)
            return
    if state.requested is None:
        raise not_found("run", id, await known_runs(settings))
    assert state.ended is not None  # noqa: S101 -- it is over, or it would have been followed
    raise Stop(
        Exit.CONFLICT, f"the run {id} is over: {state.ended.name}; see: aps runs show {id} --transcript"
    )


async def _next(desk: LogDesk, words: "asyncio.Queue[RunProgress]", id: str) -> RunProgress | None:
    """Return the next word; None once the run is over and all its words were said."""
    while True:
        try:
            return await asyncio.wait_for(words.get(), LOOK_SECONDS)
        except TimeoutError:
            if id and (await run_named(desk, id)).ended is not None and words.empty():
                return None


def _tell(word: RunProgress, *, as_json: bool) -> None:
    if as_json:
        print_json_line(word)
    else:
        typer.echo(f"{word.run}  {'ended' if word.kind == ENDED else said_of(word)}")
