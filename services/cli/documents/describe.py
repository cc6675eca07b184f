"""`aps describe`: what an event, an endpoint or a workflow is for."""

from typing import Annotated

import typer

from services.cli.engine_option import Engine
from services.cli.options import Json
from services.cli.session import run
from services.engines.choosing import AUTO

Named = Annotated[
    str,
    typer.Argument(
        help="A type of event, an endpoint as METHOD PATH, or the YAML file of a workflow; - is stdin.",
        metavar="NAME",
    ),
]


def describe(named: Named, engine: Engine = AUTO, as_json: Json = False) -> None:
    """Describe a type of event, an endpoint of the gateway or a workflow: what it is for, what its parts say.

    An AI engine that is set up writes it, held to what is defined; else it is taken from the source.

    Example: aps describe improvement.discovered

    Example: aps describe "GET /api/health" --engine claude_code --json
    """
    from services.cli.documents import describing

    run(lambda settings: describing.describe(settings, named, engine, as_json=as_json))
