"""How long the board of 10,000 improvements takes to be made and answered over HTTP, each time anew.

The improvements stand in every state, with the history that leads there; the page is asked for by sessions
that never saw it, so that nothing kept is answered. Beside each stands the same page asked for again by who
has it: unchanged, it is a 304.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from events import improvement_facts as i
from events.envelope import Cause
from events.fact import Fact
from events.store import Batch, Position
from projections.projector import Projector
from projections.queries import Views
from schemas.access import Role
from services.access.sessions import COOKIE, Signer
from services.access.tokens import Token, grant
from services.gateway.pages.dossier import PLACE
from services.runtime.embedded.addresses import free_port
from services.runtime.ending import end
from services.runtime.ground import Ground, stand
from services.runtime.log import Log
from services.runtime.session_key import session_key
from services.runtime.settings import load
from tests import projection_facts as f
from tests.benchmarks.measuring.line import at_most, beside, tell
from tests.gateway_place import serving

NUMBER = 10_000
ROUNDS = 60
TOGETHER = 80  # improvements appended at once
PATIENCE = 600.0
CAUSE = Cause(actor="cli", source="aps/bench", correlation="00000000-0000-0000-0000-000000000001")
YEARS = 10**9
LIFE: tuple[Fact, ...] = (
    f.discovered(),
    f.claimed(seconds=YEARS),
    f.specified(),
    f.claimed("architect-1", "design", YEARS),
    f.designed(),
    f.claimed("developer-1", "change", YEARS),
    f.implemented(),
    f.validated(),
    i.ChangeApproved(commit="f" * 40, reason="low risk"),
    f.deployed(),
)
STAGES = (1, 3, 5, 7, 8, 9, 10, 10)  # how far each of eight came
PAGES = {
    "board_page": PLACE,
    "board_page_searched": f"{PLACE}?q=imports+a.py&sort=newest",
    "board_table": f"{PLACE}?shown=table&sort=risk&page=40",
    "board_page_past": f"{PLACE}?at={{half}}",
}


def life_of(number: int) -> tuple[Fact, ...]:
    """Return the facts of one improvement."""
    found = f.discovered(number, f"Remove unused imports of part {number}", rule=f"F{number % 40:03}")
    return (found, *LIFE[1 : STAGES[number % len(STAGES)]])


async def tell_lives(ground: Ground, number: int) -> int:
    """Append the lives of `number` improvements; return the head of the log."""
    async with ground.log("admin") as (_, book):
        for start in range(0, number, TOGETHER):
            some = range(start, min(start + TOGETHER, number))
            batches = [Batch("improvement", f"imp-{n:05}", Position(), life_of(n)) for n in some]
            await book.store.append_many(batches, CAUSE)
        return await book.store.head()


@dataclass(frozen=True)
class Asking:
    """Asks for pages as sessions of one token, each of which is new."""

    url: str
    session: aiohttp.ClientSession
    signer: Signer
    token: Token

    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.signer.open(self.token.id, datetime.now(UTC))}"}

    async def took(self, path: str) -> tuple[float, float]:
        """Return the milliseconds until a page was answered to a session, and answered again as unchanged."""
        cookie = self.cookie()
        begun = time.perf_counter()
        async with self.session.get(self.url + path, headers=cookie, allow_redirects=False) as answer:
            text, tag = await answer.text(), answer.headers["ETag"]
        made = time.perf_counter() - begun
        assert answer.status == 200, text[:500]
        assert "data-key" in text
        begun = time.perf_counter()
        async with self.session.get(self.url + path, headers={**cookie, "If-None-Match": tag}) as again:
            await again.read()
        assert again.status == 304
        return made * 1000, (time.perf_counter() - begun) * 1000


@asynccontextmanager
async def asking(ground: Ground, book: Log) -> AsyncIterator[Asking]:
    token = await grant(book, "a bench", Role.OPERATOR, CAUSE)
    signer = Signer(session_key(ground.settings))
    async with serving(ground) as url, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Asking(url, session, signer, token)


async def measure(ground: Ground, number: int, rounds: int) -> None:
    head = await tell_lives(ground, number)
    sys.stderr.write(f"loaded {head} events of {number} improvements\n")
    async with ground.log("projector") as (_, log), ground.pool(1, 4, 10) as pool:
        projecting = asyncio.create_task(Projector(log.store, pool).follow())
        try:
            async with ground.log("cli") as (_, book), asking(ground, book) as asker:
                await Views(pool).wait_until(await book.store.head(), PATIENCE)
                for name, path in PAGES.items():
                    await report(asker, name, path.format(half=head // 2), rounds)
        finally:
            await end(projecting)


async def report(asker: Asking, name: str, path: str, rounds: int) -> None:
    await asker.took(path)
    measured: list[tuple[float, float]] = []
    for _ in range(rounds):
        measured.append(await asker.took(path))
        await asyncio.sleep(0.05)  # within the rate that one sender is answered at
    made: Sequence[float] = [one[0] for one in measured]
    tell(beside(name, "ms", made, "unchanged", [one[1] for one in measured]))
    sys.stderr.write(f"{name}: 99 of 100 within {at_most(0.99, made):.1f} ms\n")


async def main(number: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="aps-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # noqa: ASYNC240 -- before anything runs: PostgreSQL's user passes through it
        settings = load({"APS_HOME": str(home / "home"), "APS_PORT": str(free_port())})
        async with stand(settings) as ground:
            await measure(ground, number, rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="measure the board of many improvements")
    parser.add_argument("--improvements", type=int, default=NUMBER)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.improvements, chosen.rounds))
