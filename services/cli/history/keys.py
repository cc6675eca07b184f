"""The public keys that prove the log."""

from collections.abc import Sequence

from events.evidence.heads import NoKey, PublicKey
from services.cli.session import Exit, Stop, print_json, say
from services.runtime.head_keys import earlier_keys, key_file, origin, own_key, signing_key
from services.runtime.head_keys import trust as let_count
from services.runtime.settings import Settings


def public_keys(texts: Sequence[str] | None, option: str = "--key") -> tuple[PublicKey, ...]:
    """Read keys that were given; ends the command with 2 for what is none."""
    try:
        return tuple(PublicKey(text.strip().lower()) for text in texts or ())
    except NoKey as problem:
        raise Stop(Exit.USAGE, f"{option}: {problem}") from problem


async def show(
    settings: Settings, *, new: bool = False, trust: Sequence[PublicKey] = (), as_json: bool
) -> None:
    """Show the public key of this system's signer, and those that count besides.

    A `new` key is made first, and those to `trust` count from then on. Ends the command with 3 where there is
    no key, 5 where a new one is asked for and there is one.
    """
    if new:
        _make(settings)
    _trust(settings, trust)
    own, others = own_key(settings), earlier_keys(settings)
    if own is None:
        raise Stop(
            Exit.NOT_FOUND,
            f"there is no key {key_file(settings.home)}. It is made with the first signed head (aps up), or"
            " now by: aps events key --new. Where heads were signed before, put it back from a backup of the"
            " data folder",
        )
    key = own.public
    if as_json:
        others_shown = [{"key": one.text, "id": one.id} for one in others]
        print_json({"key": key.text, "id": key.id, "from": origin(settings), "trusted": others_shown})
        return
    print(key.text)
    say(f"key {key.id}, from {origin(settings)}")
    for one in others:
        say(f"also trusted: {one.text}")


def _make(settings: Settings) -> None:
    if own_key(settings) is not None:
        raise Stop(Exit.CONFLICT, f"there is a key already, from {origin(settings)}: no other was made")
    say(f"a key was made: {signing_key(settings).public.id}, kept in {key_file(settings.home)}")


def _trust(settings: Settings, keys: Sequence[PublicKey]) -> None:
    for key in keys:
        let_count(settings.home, key)
        say(f"heads signed with key {key.id} count here; a service that signs takes it up when it starts")
