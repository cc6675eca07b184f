"""The secret that keys are wrapped with: given, or made once in the data folder of embedded servers.

Rules
1. Before anything is sealed, the store of keys must know the secret's root. A secret it does not know makes
   and overwrites nothing: not a key, not a root, not the file.
2. The first secret of a store is taken by who declares streams: a command on embedded servers, `aps setup`.
3. A made secret is for its owner alone. Where it is gone while keys stand, no other is made in its place.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from services.runtime.data_folder import DataFolder, make_folder, write_durably
from services.runtime.settings import Settings
from services.vault.keyring import WrongSecret
from services.vault.keys import KeyStore
from services.vault.sealing import Root, root_of

FILE = "secret_key_base"
SECRET_BYTES = 48


def secret_file(home: Path) -> Path:
    """Return where a made secret is kept."""
    return DataFolder(home).keys / FILE


def former_file(home: Path) -> Path:
    """Return where the secret of a restored backup is kept, until a rotation has ended."""
    return DataFolder(home).keys / f"{FILE}.former"


def is_embedded(settings: Settings) -> bool:
    """Whether the keys are kept by the NATS of the data folder, which nobody else reaches."""
    return settings.nats_url is None


def current_root(settings: Settings) -> Root | None:
    """Return the root of the secret in effect; None where there is none (yet)."""
    if settings.secret_key_base is not None:
        return root_of(settings.secret_key_base.get_secret_value())
    file = secret_file(settings.home)
    return root_of(file.read_text("utf-8").strip()) if is_embedded(settings) and file.exists() else None


def former_root(settings: Settings) -> Root | None:
    """Return the root of the secret before, where one is given, or came with a backup."""
    if settings.secret_key_base_old is not None:
        return root_of(settings.secret_key_base_old.get_secret_value())
    file = former_file(settings.home)
    return root_of(file.read_text("utf-8").strip()) if is_embedded(settings) and file.exists() else None


async def settle_secret(store: KeyStore, settings: Settings) -> None:
    """Take the secret in effect as the store's first, made where there is none. Raises `WrongSecret`."""
    if not await store.roots():
        if is_embedded(settings) and settings.secret_key_base is None:
            _make(secret_file(settings.home))
        if root := current_root(settings):
            await store.add_first_root(root.id)
    await refuse_wrong_secret(store, settings)


async def refuse_wrong_secret(store: KeyStore, settings: Settings) -> None:
    """Raise `WrongSecret` where the store knows roots, and neither that of the secret nor of the one before.

    With servers of one's own and no secret at all nothing is refused: nothing can be sealed or opened then.
    """
    known = await store.roots()
    current, former = current_root(settings), former_root(settings)
    given = {root.id for root in (current, former) if root is not None}
    if given & set(known) or (not is_embedded(settings) and not given):
        return
    if not known:
        raise WrongSecret("no SECRET_KEY_BASE was set up for these servers yet; with it set, run: aps setup")
    told = ", ".join(id[:8] for id in known)
    if current is None:
        raise WrongSecret(
            "the secret that the keys were made with is not there: SECRET_KEY_BASE is not set, and there is "
            f"no {secret_file(settings.home)} (roots known: {told}). Give it by either; nothing was changed"
        )
    source = "SECRET_KEY_BASE" if settings.secret_key_base else str(secret_file(settings.home))
    raise WrongSecret(
        f"{source} is not the secret that the keys were made with (roots known: {told}, this one: "
        f"{current.id[:8]}). Nothing was changed. Give the former one; to change it, give that as "
        f"SECRET_KEY_BASE_OLD{_made(settings)} and run: aps keys rotate"
    )


def _made(settings: Settings) -> str:
    file = secret_file(settings.home)
    return f" (SECRET_KEY_BASE_OLD_FILE={file})" if settings.secret_key_base and file.exists() else ""


def _make(file: Path) -> None:
    """Make a secret; of two who do so at once, the first one's stays."""
    if file.exists():
        return
    make_folder(file.parent, 0o700)
    fresh = file.with_name(f".{FILE}.{secrets.token_hex(4)}")
    write_durably(fresh, secrets.token_urlsafe(SECRET_BYTES))
    try:
        with suppress(FileExistsError):
            os.link(fresh, file)
    finally:
        fresh.unlink()
