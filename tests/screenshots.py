"""Photographs every page of a system that improved a small project: `python -m tests.screenshots FOLDER`.

Everything is real: the whole cycle runs by the commands a person types, then `aps up`, then a browser.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from playwright.async_api import Browser

from services.access.tokens import Token, parsed
from services.gateway.app import ROUTES
from services.runtime.embedded.addresses import free_port
from tests.acceptance.command import Ended, aps, improve, start, wait
from tests.acceptance.targets import BRANCH, repository
from tests.browser_place import Person, entered, opened

SIZE = {"width": 1080, "height": 720}
PATIENCE = 180.0
NO_PAGES = ("/live", "/static/{name}")
ASKED = {"/ai/tasks": "?state=all", "/ai/audit": "?by=all", "/ai/changes": "?from=1"}
DARK = "improvements"
LANDED, REFUSED = "improvement-landed", "improvement-refused"
PARTS = {LANDED: {"gates": "#gates > summary", "change": "#file-1 > summary"}}


def paths(cycle: Ended) -> dict[str, str]:
    """Return the address of each page by the name of its picture; of calls of engines there is none."""
    found = {}
    for route in ROUTES:
        if route.page and route.method == "GET" and route.path not in NO_PAGES and "{" not in route.path:
            name = route.path.removeprefix("/ai").strip("/").replace("/", "-") or "overview"
            found[name] = route.path + ASKED.get(route.path, "")
    for name, status in ((LANDED, "deployment_complete"), (REFUSED, "abandoned")):
        ids = [one["id"] for one in cycle.outcome["improvements"] if one["status"] == status]
        found[name] = f"/ai/improvements/{ids[0]}"
    return found


@asynccontextmanager
async def running(home: Path, port: int) -> AsyncIterator[str]:
    """`aps up`, as soon as every component is well."""
    up = start(home, "up", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            while not await _is_well(session, url):  # noqa: ASYNC110 -- another program's health
                await asyncio.sleep(0.5)
        yield url
    finally:
        up.terminate()
        await asyncio.to_thread(wait, up)


async def _is_well(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/api/health") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def photograph(person: Person, picture: Path) -> None:
    """Write one picture, once nothing on the page moves."""
    await person.page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
    await person.page.screenshot(path=picture, scale="css")


async def main(folder: Path) -> None:
    """Run the cycle and write the pictures."""
    with tempfile.TemporaryDirectory(prefix="aps-pictures-") as place:
        root, home = Path(place), Path(place) / "home"
        root.chmod(0o711)  # noqa: ASYNC240 -- before anything runs: users of servers and sandbox pass through
        repository(root / "shop")
        cycle = await asyncio.to_thread(improve, home, root / "shop")
        made = await asyncio.to_thread(aps, home, "token", "create", "--role", "admin", "--json")
        token = parsed(made.outcome["token"])
        assert token is not None
        sys.stderr.write(f"{BRANCH}: {sorted(cycle.statuses.items())}\n")
        async with running(home, free_port()) as url, opened() as browser:
            await _all(browser, url, token, paths(cycle), folder)


async def _all(browser: Browser, url: str, token: Token, named: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 -- one folder
    for scheme, chosen in (("light", named), ("dark", {f"{DARK}-dark": named[DARK]})):
        async with entered(browser, url, token, scheme=scheme) as person:
            await person.page.set_viewport_size(SIZE)  # type: ignore[arg-type]  # a plain dict
            for name, path in chosen.items():
                await person.go(path)
                await photograph(person, folder / f"{name}.png")
                for part, place in PARTS.get(name, {}).items():
                    await _come_to(person, place)
                    await photograph(person, folder / f"{name}-{part}.png")
                sys.stderr.write(f"{path} -> {name}.png\n")


async def _come_to(person: Person, place: str) -> None:
    """Unfold a part of the page, and have it at the top."""
    await person.page.locator(place).evaluate(
        "one => { one.parentElement.open = true; one.scrollIntoView() }"
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
