"""One call of an engine on a page: what it took, what was asked, answered and said on the way.

What was asked and answered is sealed: it is read for who may decide, and never kept for a second look.
"""

from aiohttp import web

from events.run import RUN, Metered, Reused
from projections.views.summary import summary
from schemas.access import Scope
from services.dossier.calls import Content, content_of, facts_of, suspicions
from services.dossier.shelf import Shelf
from services.gateway.http.commands import loaded
from services.gateway.http.route import DECIDING, LOOKING, Call, Route
from services.gateway.pages.parts import withheld
from services.gateway.pages.rendering import page

MOST_CHARACTERS = 200_000


async def run(call: Call) -> web.StreamResponse:
    """Show one call."""
    id, book = call.named("id"), call.desk.book
    state = (await loaded(call, RUN, id)).state
    facts = await facts_of(book, id)
    opens = call.holder is not None and call.holder.may(DECIDING, Scope.LOG)
    shelf = Shelf(book, opens=opens)
    wants = withheld(call)
    content = await content_of(shelf, [fact for _, fact in facts], transcript=True)
    return page(
        call,
        "run.html",
        id=id,
        asked=state.requested,
        used=state.ended if isinstance(state.ended, Metered) else None,
        reused=state.ended.run if isinstance(state.ended, Reused) else "",
        opens=opens,
        parts=_parts(content),
        missing=shelf.missing,
        suspicions=() if wants["suspicions"] else suspicions([fact for _, fact in facts]),
        events=() if wants["happened"] else [(one.seq, one.envelope, summary(fact)) for one, fact in facts],
    )


def _parts(content: Content) -> list[tuple[str, str, str, int]]:
    """Return what is kept, each with a name, its beginning and how many characters are not shown."""
    named = (
        ("prompt", "What was asked", content.prompt),
        ("answer", "What was answered", content.answer),
        ("transcript", "What was said on the way", content.transcript),
    )
    return [
        (key, name, text[:MOST_CHARACTERS], max(0, len(text) - MOST_CHARACTERS))
        for key, name, text in named
        if text
    ]


ROUTES = (Route("GET", "/ai/runs/{id}", run, LOOKING, Scope.TASKS, "A call of an engine", page=True),)
