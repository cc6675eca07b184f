"""Who did something, in words: the title of the token that sent it, or the role that acted by itself."""

from events.access import ACCESS
from services.runtime.log import Log


async def who(book: Log, actor: str) -> str:
    """Return whom an event's `actor` stands for, to be told to a person."""
    name, _, id = actor.rpartition("/")
    if not name:
        return actor.partition("@")[0]
    try:
        granted = (await book.state(ACCESS, id)).granted
    except ValueError:  # no subject token, so no token has this id
        granted = None
    return granted.title if granted else actor
