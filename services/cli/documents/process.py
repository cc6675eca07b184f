"""`aps process`: an improvement as an APS document."""

from typing import Annotated

import typer

from services.cli.alone import run_alone
from services.cli.options import Id, Json, topic
from services.cli.session import run

app = topic(
    "Export an improvement as an APS document, check such documents.",
    "aps process export up006-1a2b3c4d -o up006.aps.yaml",
    "aps process validate up006.aps.yaml",
)


@app.command()
def export(
    id: Id,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Where to; - is stdout.", metavar="FILE")
    ] = "-",
    as_json: Json = False,
) -> None:
    """Export the whole process of an improvement: roles, activities, scenarios, claims, messages, verdicts.

    Example: aps process export up006-1a2b3c4d -o up006.aps.yaml
    """
    from services.cli.documents import exchange as documents

    run(lambda settings: documents.export(settings, id, output, as_json=as_json))


@app.command()
def validate(
    file: Annotated[str, typer.Argument(help="An APS document; - is stdin.", metavar="FILE")],
    as_json: Json = False,
) -> None:
    """Check an APS document; name field and line of each problem.

    Example: aps process validate up006.aps.yaml
    """
    from services.cli.documents import exchange as documents

    run_alone(lambda: documents.validate(file, as_json=as_json))
