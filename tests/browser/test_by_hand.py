"""What people do in a real browser: decide, travel in time, with the keyboard alone, and without scripts."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from events.catalogue import read_fact
from events.fact import Fact
from schemas.access import Role
from services.gates.catalogue import GATES
from tests.browser_place import Person, entered
from tests.gateway_place import Place
from tests.shelf_evidence import TRANSCRIPT
from tests.shelf_story import CALL, FOUND, LANDED, WAITING

pytestmark = pytest.mark.slow


async def last_fact(place: Place, id: str) -> tuple[Fact, str]:
    """Return what was recorded last on an improvement, and by whom."""
    recorded, _ = await place.book.store.read("improvement", id)
    return read_fact(recorded[-1].envelope), recorded[-1].envelope.actor


async def decide(person: Person, id: str, decision: str, why: str) -> None:
    """Give a reason on the page of an improvement, press the button, and wait for the page after it."""
    await person.go(f"/ai/improvements/{id}")
    await person.page.locator(f"#why-{decision}").fill(why)
    async with person.page.expect_navigation():
        await person.page.locator(f"#do-{decision}").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize(
    ("id", "decision", "fact"),
    [
        (WAITING, "approve", "change_approved"),
        (WAITING, "decline", "change_declined"),
        (LANDED, "rollback", "rollback_requested"),
    ],
)
async def test_a_decision_made_by_hand_is_the_right_event_with_its_reason(
    place: Place, browser: Browser, id: str, decision: str, fact: str, *, scripts: bool
) -> None:
    token = place.tokens[Role.OPERATOR]
    async with entered(browser, place.url, token, scripts=scripts) as person:
        await decide(person, id, decision, "because I looked at it")
        told, actor = await last_fact(place, id)
        assert (told.name, getattr(told, "reason", "")) == (fact, "because I looked at it")
        assert actor.startswith("gateway@")
        assert actor.endswith(f"/{token.id}")
        assert person.page.url == f"{place.url}/ai/improvements/{id}"
        assert person.complaints == []


async def test_a_declined_improvement_is_tried_again_by_hand(place: Place, browser: Browser) -> None:
    async with entered(browser, place.url, place.tokens[Role.OPERATOR]) as person:
        await decide(person, WAITING, "decline", "not now")
        await place.seen()
        await decide(person, WAITING, "retry", "now then")
    assert (await last_fact(place, WAITING))[0].name == "retried"


async def test_a_viewer_is_offered_no_decision(place: Place, browser: Browser) -> None:
    async with entered(browser, place.url, place.tokens[Role.VIEWER]) as person:
        await person.go(f"/ai/improvements/{WAITING}")
        assert await person.page.locator("main form[method=post]").count() == 0


async def test_the_slider_travels_to_a_moment_and_back(place: Place, browser: Browser) -> None:
    rows = await place.views.timeline(WAITING)
    async with entered(browser, place.url, place.tokens[Role.VIEWER]) as person:
        page = person.page
        await person.go(f"/ai/improvements?q={WAITING}")
        card = page.locator(f"[data-key={WAITING}]")
        assert "testing complete" in await card.inner_text()
        await page.locator("#travel summary").click()
        slider = page.locator("#travel-range")
        box = await slider.bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2, steps=5)
        async with page.expect_navigation():
            await page.mouse.up()
        assert f"q={WAITING}" in page.url
        assert "at=1" in page.url
        await page.get_by_text("You look at the past").wait_for()
        await page.get_by_role("link", name="Back to now").click()
        await card.get_by_text("testing complete").wait_for()
        await person.go(f"/ai/improvements/{WAITING}?at={rows[0].seq}")
        assert await page.get_by_text("initialized", exact=True).count() == 1
        await page.get_by_role("link", name="What changed since").click()
        await page.get_by_role("heading", name="What changed").wait_for()
        assert await page.locator("tr", has_text=WAITING).first.get_by_text("testing complete").count() == 1


async def test_everything_is_reached_and_decided_with_the_keyboard_alone(
    place: Place, browser: Browser
) -> None:
    async with entered(browser, place.url, place.tokens[Role.OPERATOR]) as person:
        page, keys = person.page, person.page.keyboard
        await keys.press("Tab")
        assert await focused(person) == "To the content"
        await keys.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "content"
        await tab_to(person, "Write dictionaries as literals")
        await keys.press("Enter")
        await page.get_by_role("heading", name="Write dictionaries as literals").wait_for()
        await tab_to(person, id="gates")
        await keys.press("Enter")
        assert await page.locator("#gates").evaluate("one => one.open")
        await person.go(f"/ai/improvements/{WAITING}")
        await tab_to(person, id="why-approve")
        await keys.type("by keyboard")
        await keys.press("Tab")
        async with page.expect_navigation():
            await keys.press("Enter")
        assert getattr((await last_fact(place, WAITING))[0], "reason", "") == "by keyboard"
        await person.go("/ai/improvements")
        await tab_to(person, "Another moment")
        await keys.press("Enter")
        await tab_to(person, id="travel-range")
        for _ in range(3):
            await keys.press("ArrowLeft")
        async with page.expect_navigation():
            await keys.press("Enter")
        assert "at=" in page.url


async def focused(person: Person) -> str:
    return str(await person.page.evaluate("document.activeElement.textContent.trim()"))


async def tab_to(person: Person, text: str = "", id: str = "") -> None:
    """Press Tab until the focus stands on a text or an id, and is seen to be there."""
    wanted = "([text, id]) => { const at = document.activeElement; return id ? at.id === id || at.parentElement.id === id : at.textContent.trim() === text }"  # noqa: E501 -- one question
    for _ in range(200):
        if await person.page.evaluate(wanted, [text, id]):
            outline = "getComputedStyle(document.activeElement).outlineStyle"
            assert await person.page.evaluate(outline) != "none", (text, id)
            return
        await person.page.keyboard.press("Tab")
    pytest.fail(f"nothing with {text or id!r} is reached by the keyboard on {person.page.url}")


async def test_without_scripts_everything_is_there(place: Place, browser: Browser) -> None:
    async with entered(browser, place.url, place.tokens[Role.OPERATOR], scripts=False) as person:
        page = person.page
        await person.go("/ai/improvements")
        await page.get_by_label("Search").fill("literals")
        await page.locator("#search").click()
        assert await page.locator("[data-key]").count() == 1
        await page.locator("[data-key] a").click()
        for id in ("gates", "raw"):
            await page.locator(f"#{id} > summary").click()
            assert await page.locator(f"#{id}").evaluate("one => one.open")
        assert "not live: reload" in await page.locator("#live").inner_text()
        await page.locator("#travel summary").click()
        await page.locator("#travel-range").focus()
        await page.keyboard.press("ArrowLeft")
        await page.locator("#travel-there").click()
        await page.get_by_text("You look at the past").wait_for()
        await person.go(f"/ai/runs/{CALL}")
        await page.locator("#transcript summary").click()
        await page.get_by_text(TRANSCRIPT).wait_for()
        await person.go(f"/ai/improvements/{FOUND}")
        assert await page.get_by_text(f"{len(GATES)} unmet").count() == 1
