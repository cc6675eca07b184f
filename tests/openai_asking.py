"""Asks the engine behind a scripted server, and looks at what came of it."""

from pathlib import Path

from schemas.base import Frozen
from services.engines.openai_compatible.endpoint import Endpoint
from services.engines.openai_compatible.engine import OpenAICompatible
from services.engines.openai_compatible.pricing import Price, Prices
from services.engines.port import Answered, Bounds, Failed, Progress, Task
from tests.chat_api import KEY, ChatApi

PRICE = Price(read=2_000_000, written=8_000_000, cached=500_000)


class Verdict(Frozen):
    """What the tests ask for."""

    good: bool
    why: str
    places: tuple[str, ...] = ()


GOOD = '{"good": true, "why": "it is short", "places": []}'


def engine(api: ChatApi | str, **changed: object) -> OpenAICompatible:
    url = api if isinstance(api, str) else api.url
    fields = {"key": KEY, "model": "m-1", "prices": Prices({"m-1": PRICE}), "silent_seconds": 20.0, **changed}
    return OpenAICompatible(Endpoint(base_url=url, **fields))  # type: ignore[arg-type]  # a test names few


def question(worktree: Path | None = None, **changed: object) -> Task[Verdict]:
    fields = {
        "name": "verdict",
        "system": "You judge.",
        "prompt": "Is it good?",
        "answer": Verdict,
        **changed,
    }
    return Task(**fields, worktree=worktree)  # type: ignore[arg-type]  # a test names few


async def asked(
    api: ChatApi, task: Task[Verdict] | None = None, **changed: object
) -> tuple[Answered[Verdict] | Failed, list[Progress]]:
    """Ask once; return what came of it, and the progress that was told. No secret may stand in either."""
    told: list[Progress] = []
    outcome = await engine(api, **changed).ask(task or question(), told.append)
    assert KEY not in repr((outcome, told))
    return outcome, told


def bounds(**changed: object) -> Bounds:
    return Bounds(**{"seconds": 20.0, **changed})  # type: ignore[arg-type]  # a test names few
