"""Every page there is, in a real browser: nothing breaks the policy, shuts people out or plays tricks."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser

from schemas.access import Role
from services.gateway.app import ROUTES
from services.runtime.ground import Ground
from tests.browser_place import Person, entered
from tests.gateway_place import Place, open_place
from tests.shelf_story import CALL, FOUND, LANDED, REFUSED, WAITING, Teller

pytestmark = pytest.mark.slow
ROWS = {
    "/ai/improvements": ("", "?shown=table", "?q=nothing+fits"),
    "/ai/improvements/{id}": (FOUND, LANDED, REFUSED, WAITING, f"{LANDED}?at=30"),
    "/ai/runs/{id}": (CALL,),
    "/ai/tasks": ("", "?state=all"),
    "/ai/audit": ("", "?by=all", "?by=all&at=20"),
    "/ai/changes": ("?from=10", "?from=10&at=10"),
    "/": ("", "?at=20"),
}
NO_PAGES = ("/live", "/static/{name}")
HOSTILE = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    "{{ 7 * 7 }}'\"&amp;</pre></textarea>\r\n\x1b[2J\x07\x00\u202egnp\u2066\u200b\ufeff\x9b31m"
)
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def paths() -> list[str]:
    """Return every page of the table of routes, each in the states that look different."""
    found = []
    for route in ROUTES:
        if not route.page or route.method != "GET" or route.path in NO_PAGES:
            continue
        place, named, _ = route.path.partition("{id}")
        assert "{" not in place, f"say in ROWS what {route.path} shows"
        assert not named or route.path in ROWS, f"say in ROWS what {route.path} shows"
        found += [place + row for row in ROWS.get(route.path, ("",))]
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_shuts_anybody_out_or_breaks_its_policy(
    place: Place, browser: Browser, scheme: str
) -> None:
    wrong: list[str] = []
    async with entered(browser, place.url, place.tokens[Role.ADMIN], scheme=scheme) as person:
        for path in paths():
            await person.go(path)
            await unfold(person)
            wrong += [f"{path} {fault}" for fault in await person.faults()]
            wrong += [f"{path} {said}" for said in person.complaints]
            person.complaints.clear()
    assert wrong == []


async def unfold(person: Person) -> None:
    """Open all that can be folded, and let what moves come to rest."""
    await person.page.evaluate(
        "document.querySelectorAll('details').forEach((one) => { one.open = true });"
        "Promise.all(document.getAnimations().map((one) => one.finished))"
    )


async def test_hostile_text_in_every_field_is_shown_as_text(ground: Ground, browser: Browser) -> None:
    wrong: list[str] = []
    async with open_place(ground) as place:
        async with ground.log("admin") as (_, book):
            await Teller(book, say=lambda text: f"{text}{HOSTILE}", sealed=True).whole()
        await place.seen()
        async with entered(browser, place.url, place.tokens[Role.ADMIN]) as person:
            seen = ""
            for path in paths():
                await person.go(path)
                await unfold(person)
                text = await person.page.inner_text("html")
                title = await person.page.title()
                marks = await person.page.evaluate(
                    "document.querySelectorAll('img, script:not([src])').length"
                )
                seen += text
                if title == "taken" or marks or UNSEEN.search(text + title) or person.complaints:
                    wrong.append(f"{path} {title!r} {marks} {UNSEEN.findall(text)} {person.complaints}")
                person.complaints.clear()
        assert "{{ 7 * 7 }}" in seen
        assert "<script>document.title='taken'</script>" in seen
    assert wrong == []
