"""`aps backup` and `aps restore`."""

import sys
from typing import Annotated

import typer

from services.cli.options import Json
from services.cli.session import Exit, fail, run


def backup(
    file: Annotated[str, typer.Argument(help="The archive to write; it must not exist yet.", metavar="FILE")],
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Keep the keys too: whoever has the archive can sign as you.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write one archive of the log, artefacts, dead letters, signed heads and settings, and prove it.

    It is sealed with the key that signs the heads. Where that is lost nothing is written and no key is made:
    the message names it, and how to go on.

    Example: aps backup aps-2026-11-23.jsonl.gz

    Example: aps backup --with-keys /media/safe/aps.jsonl.gz
    """
    from services.cli.keeping import backing_up

    run(lambda settings: backing_up.backup(settings, file, with_keys=with_keys, as_json=as_json))


def restore(
    file: Annotated[str, typer.Argument(help="An archive that `aps backup` wrote.", metavar="[FILE]")] = "",
    journal: Annotated[
        bool, typer.Option("--journal", help="From the journal in PostgreSQL: what the log lost at its end.")
    ] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="With --journal: remove the stream, write all of it again.")
    ] = False,
    lose: Annotated[
        int,
        typer.Option(
            "--lose",
            help="With --anew: how many events the journal does not reach; they go.",
            metavar="N",
            min=0,
        ),
    ] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="With --anew: do not ask.")] = False,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="A public key to trust, as `aps events key` prints.", metavar="PUB"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Put an archive back into an empty log, or back into the log what the journal still has; then prove it.

    From an archive with keys, they sign on. From one without, the heads in it count from then on, and where
    the data folder has no key a new one is made, shown, and signs the next.

    Example: aps restore aps-2026-11-23.jsonl.gz

    Example: aps restore --journal
    """
    if bool(file) == journal or file == "-":
        fail(Exit.USAGE, "give either an archive (a file: it is read twice) or --journal")
    if anew and not journal:
        fail(Exit.USAGE, "--anew goes with --journal")
    if lose and not anew:
        fail(Exit.USAGE, "--lose goes with --anew")
    if anew and not yes and not sys.stdin.isatty():
        fail(Exit.USAGE, "nobody to ask: give --yes")
    from services.cli.history.keys import public_keys
    from services.cli.keeping import from_journal, putting_back

    if journal:
        wish = from_journal.Anew(lose, ask=not yes) if anew else None
        run(lambda settings: from_journal.restore_from_journal(settings, wish, as_json=as_json))
    else:
        run(lambda settings: putting_back.restore(settings, file, public_keys(key), as_json=as_json))
