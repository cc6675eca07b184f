"""Keeps the keys of what is sealed: lists them, puts them under a new secret, deletes one for good."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import typer

from schemas.base import Frozen
from services.cli.session import Exit, Stop, print_json, say
from services.cli.tables import show_table
from services.runtime.ground import actor, now, stand
from services.runtime.nats_connection import close_nats
from services.runtime.secret import current_root, former_file, former_root
from services.runtime.settings import Settings
from services.vault.jetstream import JetStreamKeyStore
from services.vault.keyring import rotate as rotate_keys
from services.vault.keys import Deletion, Entry
from services.vault.sealing import Root, checked_subject


class Row(Frozen):
    """A subject's key as a person sees it; no key is in it."""

    subject: str
    state: str
    at: datetime
    by: str = ""
    reason: str = ""


async def list_keys(settings: Settings, *, as_json: bool) -> None:
    """Print every subject and the state of its key."""
    async with _at_keys(settings, "cli") as store:
        rows = [row_of(entry, current_root(settings)) for entry in await store.entries()]
    if as_json:
        print_json(rows)
    else:
        shown = [(row.subject, row.state, row.at, row.by, row.reason) for row in rows]
        show_table(("subject!", "key!", "since!", "by", "reason"), shown)


def row_of(entry: Entry, current: Root | None) -> Row:
    """Return one subject's row."""
    if entry.deleted is not None:
        gone = entry.deleted
        return Row(subject=entry.subject, state="deleted", at=gone.at, by=gone.by, reason=gone.reason)
    held = current is not None and entry.under(current.id) is not None
    state = "held" if held else "under the former secret"
    return Row(subject=entry.subject, state=state, at=entry.keys[0].made_at)


async def rotate(settings: Settings, *, as_json: bool) -> None:
    """Bring every key under the secret in effect. Raises `WrongSecret`."""
    async with _at_keys(settings, "admin") as store:
        current = current_root(settings)
        if current is None:
            raise Stop(Exit.USAGE, "SECRET_KEY_BASE is not set: give the new secret, and the former as _OLD")
        done = await rotate_keys(store, current, former_root(settings))
    former_file(settings.home).unlink(missing_ok=True)
    if as_json:
        print_json({"rewrapped": done.rewrapped, "stood": done.stood, "root": current.id})
    say(f"{done.rewrapped} keys were put under SECRET_KEY_BASE, {done.stood} stood under it already")
    if settings.secret_key_base_old is not None:
        say("run this again once every service has the new secret; then SECRET_KEY_BASE_OLD can go")


async def delete(settings: Settings, subject: str, reason: str, *, yes: bool, as_json: bool) -> None:
    """Ask, write the deletion down, erase the key."""
    try:
        checked_subject(subject)
    except ValueError as problem:
        raise Stop(Exit.USAGE, str(problem)) from None
    async with _at_keys(settings, "admin") as store:
        entry = await store.find(subject)
        if entry == Entry(subject=subject):
            raise Stop(Exit.NOT_FOUND, f"nothing was ever sealed for {subject}; see: aps keys list")
        if not yes:
            _confirm(subject)
        await store.delete(Deletion(subject=subject, at=now(), by=actor("cli"), reason=reason))
        row = row_of(await store.find(subject), None)
    if as_json:
        print_json(row)
    say(f"the key of {subject} is deleted: what was sealed with it cannot be read any more")
    say("copies of it in backups end with the secret: change it by SECRET_KEY_BASE_OLD and aps keys rotate")


def _confirm(subject: str) -> None:
    say(f"nobody will be able to read again what was sealed for {subject}")
    if not sys.stdin.isatty():
        raise Stop(Exit.USAGE, "nobody to ask: give --yes")
    if not typer.confirm("delete its key?", default=False, err=True):
        raise Stop(Exit.FAILED, "nothing was deleted")


@asynccontextmanager
async def _at_keys(settings: Settings, user: str) -> AsyncIterator[JetStreamKeyStore]:
    async with stand(settings, say) as ground:
        connection = await ground.connect(user)
        try:
            yield JetStreamKeyStore(connection)
        finally:
            await close_nats(connection)
