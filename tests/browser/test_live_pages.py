"""Pages in a real browser: new by themselves, without taking from anybody what they were doing."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import pytest
from playwright.async_api import Browser, expect

from events.improvement_facts import Reprioritised
from projections.projector import Projector
from projections.queries import Views
from schemas.access import Role
from services.access.tokens import grant
from services.runtime.ending import end
from services.runtime.ground import Ground
from tests.browser_place import PATIENCE_MS, entered
from tests.gateway_place import CAUSE, PATIENCE, Place, serving
from tests.shelf_story import FOUND, WAITING, Teller

pytestmark = pytest.mark.slow
BOARD, DOSSIER = "/ai/improvements?shown=table", f"/ai/improvements/{WAITING}"
ROUNDS = 7


async def ranked(place: Place, id: str, rank: int) -> None:
    """Change a rank, by another program than the gateway."""
    await Teller(place.book).tell("cli", "improvement", id, Reprioritised(rank=rank, reason="asked for"))


async def test_a_change_appears_within_a_second_and_without_a_reload(place: Place, browser: Browser) -> None:
    async with entered(browser, place.url, place.tokens[Role.VIEWER]) as person:
        await person.go(f"/ai/improvements/{FOUND}")
        await person.live()
        await person.page.evaluate("window.loadedOnce = true")
        took = []
        for rank in range(100, 100 + ROUNDS):
            shown = asyncio.create_task(person.page.get_by_text(f"rank {rank} ·").wait_for())
            begun = time.monotonic()
            await ranked(place, FOUND, rank)
            await shown
            took.append(time.monotonic() - begun)
        assert median(took) <= 1.0, took
        assert await person.page.evaluate("window.loadedOnce")


async def test_what_somebody_types_and_where_they_are_outlives_a_change(
    place: Place, browser: Browser
) -> None:
    async with entered(browser, place.url, place.tokens[Role.OPERATOR]) as person:
        await person.go(DOSSIER)
        await person.live()
        page = person.page
        await page.locator("#decision summary").click()
        await page.locator("#gates summary").click()
        why = page.locator("#why-decline")
        await why.fill("the old form reads better")
        await why.evaluate("one => one.setSelectionRange(4, 7)")
        await ranked(place, WAITING, 77)
        await page.get_by_text("rank 77 ·").wait_for()
        assert await why.input_value() == "the old form reads better"
        selection = "one => document.activeElement === one && [one.selectionStart, one.selectionEnd].join()"
        assert await why.evaluate(selection) == "4,7"
        assert not await page.locator("#decision").evaluate("one => one.open")
        assert await page.locator("#gates").evaluate("one => one.open")
        await page.locator("#gates summary").focus()
        await ranked(place, WAITING, 78)
        await page.get_by_text("rank 78 ·").wait_for()
        assert await why.input_value() == "the old form reads better"
        assert await page.evaluate("document.activeElement.closest('details').id") == "gates"


async def test_focus_stays_on_a_row_that_moves(place: Place, browser: Browser) -> None:
    async with entered(browser, place.url, place.tokens[Role.VIEWER]) as person:
        await person.go(BOARD)
        await person.live()
        rows = person.page.locator("[data-key]")
        assert await rows.last.get_attribute("data-key") == FOUND
        await person.page.locator(f"[data-key={FOUND}] a").focus()
        await ranked(place, FOUND, 1)
        await expect(rows.first).to_have_attribute("data-key", FOUND, timeout=PATIENCE_MS)
        focused = await person.page.evaluate("document.activeElement.closest('[data-key]')?.dataset.key")
        assert focused == FOUND


async def test_a_form_keeps_the_version_that_was_looked_at_so_that_nothing_unseen_is_decided(
    place: Place, browser: Browser
) -> None:
    async with entered(browser, place.url, place.tokens[Role.OPERATOR]) as person:
        await person.go(DOSSIER)
        await person.live()
        await person.page.locator("#why-approve").fill("looks good")
        await ranked(place, WAITING, 55)
        await person.page.get_by_text("rank 55 ·").wait_for()
        await person.page.locator("#do-approve").click()
        await person.page.get_by_text("it has changed since you looked").wait_for()
    assert [row.fact for row in await place.views.timeline(WAITING)][-1] == "reprioritised"


async def test_a_restarted_gateway_is_found_again_and_no_update_is_lost(
    ground: Ground, browser: Browser
) -> None:
    async with ground.log("admin") as (_, book), ground.pool(1, 4, 10) as pool:
        projecting = asyncio.create_task(Projector(book.store, pool).follow())
        try:
            teller, views = Teller(book), Views(pool)
            await teller.whole()
            token = await grant(book, "viewer", Role.VIEWER, CAUSE)
            await views.wait_until(await book.store.head(), PATIENCE)
            async with serving(ground) as url:
                context = entered(browser, url, token)
                person = await context.__aenter__()
                await person.go(BOARD)
                await person.live()
            await person.page.locator("#live", has_text="connecting again").wait_for()
            await teller.tell("cli", "improvement", FOUND, Reprioritised(rank=500, reason="asked for"))
            async with serving(ground):
                await person.page.locator(f"[data-key={FOUND}] td", has_text="500").wait_for()
                await person.live()
                await context.__aexit__(None, None, None)
        finally:
            await end(projecting)


async def test_who_is_no_longer_let_in_is_shown_the_way_in(place: Place, browser: Browser) -> None:
    async with entered(browser, place.url, place.tokens[Role.VIEWER]) as person:
        await person.go(BOARD)
        await person.live()
        await person.context.clear_cookies()
        await ranked(place, FOUND, 42)
        await person.page.get_by_role("heading", name="Enter").wait_for()
