"""The public keys that prove the log."""

from collections.abc import Sequence

from events.evidence.heads import NoKey, PublicKey
from services.cli.session import Exit, Stop, print_json, say
from services.runtime.head_keys import earlier_keys, key_file, origin, own_key
from services.runtime.settings import Settings


def public_keys(texts: Sequence[str] | None) -> tuple[PublicKey, ...]:
    """Read keys that were given; ends the command with 2 for what is none."""
    try:
        return tuple(PublicKey(text.strip().lower()) for text in texts or ())
    except NoKey as problem:
        raise Stop(Exit.USAGE, f"--key: {problem}") from problem


async def show(settings: Settings, *, as_json: bool) -> None:
    """Show the public key of this system's signer, and those that count besides."""
    own, others = own_key(settings), earlier_keys(settings)
    if own is None:
        raise Stop(
            Exit.NOT_FOUND,
            f"there is no key {key_file(settings.home)}. The first service that signs makes it (aps up);"
            " where heads were signed before, put it back from a backup of the data folder",
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
