"""Makes tokens for the gateway, lists them and revokes them."""

from datetime import datetime, timedelta

from events.access import ACCESS
from projections.views.access import AccessRow
from schemas.access import Role
from schemas.base import Frozen
from services.access.titles import fit_title
from services.access.tokens import grant, revoke
from services.cli.asking import because, cause
from services.cli.desk import at_log, at_views, not_found
from services.cli.session import Exit, Stop, print_json, say
from services.cli.tables import show_table
from services.runtime.ground import now
from services.runtime.settings import Settings


class Made(Frozen):
    """A token as it is shown once."""

    id: str
    token: str
    role: Role
    scopes: tuple[str, ...]
    expires_at: str


async def create(
    settings: Settings, title: str, role: Role, days: int, scopes: tuple[str, ...], *, as_json: bool
) -> None:
    """Grant a token and show it, this once."""
    lifetime = timedelta(days=days)
    try:
        named = fit_title(because(title, "made"))
    except ValueError as unfit:
        raise Stop(Exit.USAGE, f"--title: {unfit}") from unfit
    async with at_log(settings) as desk:
        token = await grant(desk.book, named, role, cause(), lifetime, scopes)
        granted = (await desk.book.state(ACCESS, token.id)).granted
    assert granted is not None  # noqa: S101 -- it was granted just now
    made = Made(
        id=token.id,
        token=token.text,
        role=role,
        scopes=scopes,
        expires_at=granted.expires_at.isoformat(timespec="seconds"),
    )
    if as_json:
        print_json(made)
        return
    print(made.token)
    say(f"{role} until {granted.expires_at:%Y-%m-%d}; it is shown this once: keep it like a password")
    say(f"revoke it with: aps token revoke {made.id}")


async def list_tokens(settings: Settings, at: str, *, every: bool, as_json: bool) -> None:
    """List the tokens that are worth something, or every one there was."""
    moment = now()
    async with at_views(settings) as desk:
        rows = await desk.views.access(await desk.seq_at(at))
    shown = [row for row in rows if every or not _end(row, moment)]
    if as_json:
        print_json(shown)
        return
    show_table(
        ("ID!", "ROLE!", "TITLE", "SCOPES", "EXPIRES!", "DENIED", "NOTE"),
        [(r.id, r.role, r.title, r.scopes or "all", r.expires_at, r.denied, _end(r, moment)) for r in shown],
        empty="no tokens; make one: aps token create --role viewer",
    )


def _end(row: AccessRow, moment: datetime) -> str:
    if row.revoked:
        return f"revoked: {row.revoked}"
    return "expired" if row.expires_at <= moment else ""


async def take_away(settings: Settings, id: str, reason: str, *, as_json: bool) -> None:
    """Revoke a token. Ends the command with 3 where there is none, with 5 where it was revoked."""
    why = because(reason, "revoked")
    async with at_views(settings) as desk:
        rows = {row.id: row for row in await desk.views.access()}
        if id not in rows:
            raise not_found("token", id, rows)
        if rows[id].revoked:
            raise Stop(Exit.CONFLICT, f"{id} was revoked already: {rows[id].revoked}")
        await revoke(desk.book, id, why, cause())
    if as_json:
        print_json({"id": id, "revoked": why})
        return
    say(f"{id} is worth nothing from now on")
