"""A real browser at a gateway: what a person sees and does there, and what the browser complains of."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from services.access.tokens import Token

PROGRAM = "chromium"
PATIENCE_MS = 30_000
AXE = Path(__file__).parents[1] / ".venv" / "programs" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
SIZE = {"width": 1200, "height": 800}


def program() -> str:
    """Return the system's browser; fails the test with the cure where there is none."""
    found = shutil.which(PROGRAM)
    if found is None:
        pytest.fail("chromium is missing: run `apt-get install chromium` (as root `make test` does)")
    return found


@asynccontextmanager
async def opened() -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as driver:
        # The browser's own sandbox needs rights that root in a container lacks; it sees our pages alone.
        browser = await driver.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(frozen=True)
class Person:
    """Somebody at a browser of their own; `complaints` is what the browser's console said was wrong."""

    url: str
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """Open a page."""
        await self.page.goto(f"{self.url}{path}", wait_until="load")

    async def live(self) -> None:
        """Wait until the page follows what happens."""
        await self.page.locator("#live", has_text="live").filter(has_not_text="not").wait_for()

    async def faults(self) -> list[str]:
        """Return what axe finds grave in the page as it stands. The page's policy stays in force."""
        await self.page.evaluate(AXE.read_text("utf-8"))
        found: dict[str, Any] = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['impact']}: {one['id']} {one['nodes'][0]['target']} {one['nodes'][0]['html'][:160]}"
            for one in found["violations"]
            if one["impact"] in GRAVE
        ]


@asynccontextmanager
async def entered(
    browser: Browser, url: str, token: Token, *, scripts: bool = True, scheme: Any = "light"
) -> AsyncIterator[Person]:
    """Somebody who typed a token at the way in."""
    context = await browser.new_context(java_script_enabled=scripts, color_scheme=scheme, viewport=SIZE)  # type: ignore[arg-type]  # a plain dict
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    person = Person(url, context, page)
    page.on("console", lambda said: _complain(person, said.type, said.text, said.location))
    page.on("pageerror", lambda problem: person.complaints.append(f"thrown: {problem}"))
    try:
        await person.go("/enter")
        await page.get_by_label("Token").fill(token.text)
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Overview").wait_for()
        yield person
    finally:
        await context.close()


def _complain(person: Person, kind: str, text: str, place: Any) -> None:
    if kind in ("error", "warning"):
        person.complaints.append(f"{kind}: {text} {place}")
