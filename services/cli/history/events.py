"""`aps events`: the log itself."""

from typing import Annotated

import typer

from services.cli.alone import run_alone
from services.cli.engine_option import Engine
from services.cli.options import Json, Until, topic
from services.cli.session import run
from services.engines.choosing import AUTO

app = topic(
    "Read the log, follow it, prove that nobody altered it, export it, say what its events mean.",
    "aps events tail",
    "aps events verify",
)

Aggregate = Annotated[str, typer.Option(help="Of one kind, such as improvement.", metavar="KIND")]
OfId = Annotated[str, typer.Option("--id", help="Of one aggregate.")]


@app.command("list")
def list_events(
    after: Annotated[
        int | None, typer.Option(help="Those that follow this sequence; else the last.", metavar="SEQ", min=0)
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    aggregate: Aggregate = "",
    id: OfId = "",
    as_json: Json = False,
) -> None:
    """List events in their order.

    Example: aps events list --after 0 --limit 20

    Example: aps events list --aggregate improvement --id up006-1a2b3c4d
    """
    from services.cli.history import reading

    chosen = reading.Chosen(aggregate, id)
    run(lambda settings: reading.list_events(settings, chosen, after, limit, as_json=as_json))


@app.command()
def show(
    named: Annotated[
        str, typer.Argument(help="Its sequence, or its id or how that begins.", metavar="SEQ|EVENT-ID")
    ],
    as_json: Json = False,
) -> None:
    """Show one event as it stands on the log.

    Example: aps events show 42

    Example: aps events show 3b0c4f1e
    """
    from services.cli.history import reading

    run(lambda settings: reading.show(settings, named, as_json=as_json))


@app.command()
def tail(
    lines: Annotated[int, typer.Option("--lines", "-n", help="Begin with the last so many.", min=0)] = 10,
    limit: Annotated[int, typer.Option(help="Stop after so many; 0 goes on until stopped.", min=0)] = 0,
    aggregate: Aggregate = "",
    id: OfId = "",
    as_json: Json = False,
) -> None:
    """Show the last events and then each new one, a line each, until stopped.

    Example: aps events tail

    Example: aps events tail --lines 0 --json
    """
    from services.cli.history import reading

    chosen = reading.Chosen(aggregate, id)
    run(lambda settings: reading.tail(settings, chosen, lines, limit, as_json=as_json))


@app.command()
def verify(
    file: Annotated[
        str, typer.Argument(help="An exported log or a backup, - is stdin; else the log.", metavar="[FILE]")
    ] = "",
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="A public key to trust, as `aps events key` prints.", metavar="PUB"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove that no event was altered, removed or exchanged; name the place of each that was.

    The log is held against the journal and the signed heads, by the keys given, else by those of the data
    folder. A file is proven without any server, by the keys given, else by the one inside.

    Example: aps events verify

    Example: aps events verify l.jsonl --key 8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c
    """
    from services.cli.history import proving, proving_file
    from services.cli.history.keys import public_keys

    if file:
        run_alone(lambda: proving_file.prove_file(file, public_keys(key), as_json=as_json))
    else:
        run(lambda settings: proving.prove_log(settings, public_keys(key), as_json=as_json))


@app.command("key")
def show_key(
    new: Annotated[
        bool, typer.Option("--new", help="Make one first: only where none is there, as when it is lost.")
    ] = False,
    trust: Annotated[
        list[str] | None,
        typer.Option("--trust", help="A former public key: let what it signed count here.", metavar="PUB"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the public key that proves the log's signed heads; keep it where the log is not.

    Example: aps events key

    Example: aps events key --new --trust 8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c
    """
    from services.cli.history import keys

    run(
        lambda settings: keys.show(
            settings, new=new, trust=keys.public_keys(trust, "--trust"), as_json=as_json
        )
    )


Type = Annotated[str, typer.Argument(help="A type of event, such as improvement.discovered.", metavar="TYPE")]


@app.command()
def describe(type_: Type, engine: Engine = AUTO, as_json: Json = False) -> None:
    """Describe a type of event: what it is for, what its fields say, who records it.

    An AI engine that is set up writes it, held to the event's schema; else it is taken from the source.

    Example: aps events describe improvement.discovered

    Example: aps events describe run.completed --engine claude_code --json
    """
    from services.cli.documents import describing
    from services.cli.history.proposing import event_type

    run(lambda settings: describing.describe(settings, event_type(type_), engine, as_json=as_json))


@app.command()
def rules(
    type_: Type,
    most: Annotated[int, typer.Option("--last", help="Look at the last so many.", min=1)] = 5000,
    engine: Engine = AUTO,
    as_json: Json = False,
) -> None:
    """Propose validation rules for the events of a type: each holds for all that were looked at.

    An AI engine that is set up proposes them, held to the events; else they follow from the values alone.

    Example: aps events rules improvement.discovered

    Example: aps events rules run.completed --last 500 --json
    """
    from services.cli.history import proposing

    run(lambda settings: proposing.propose(settings, type_, most, engine, as_json=as_json))


@app.command()
def export(
    file: Annotated[str, typer.Argument(help="Where to; - is stdout.", metavar="[FILE]")] = "-",
    until: Until = "",
    packed: Annotated[bool, typer.Option("--gzip", help="Pack it; so is a FILE that ends in .gz.")] = False,
    as_json: Json = False,
) -> None:
    """Export the log as JSON lines: the signed heads, then every event byte for byte, then a seal.

    Nothing is written over.

    Example: aps events export log.jsonl.gz

    Example: aps events export log.jsonl --until 1200
    """
    from services.cli.history import exporting

    run(lambda settings: exporting.export(settings, file, until, packed=packed, as_json=as_json))
