"""`aps up` and `aps run`: the services, all of them or one, until told to stop."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.aiming import refuse_unusable
from services.cli.session import Exit, fail, run

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
Port = Annotated[
    int | None, typer.Option(help="Port of the gateway; 0 is any. Default: APS_PORT.", min=0, max=65535)
]
Targets = Annotated[
    list[Path] | None,
    typer.Option("--target", help="A repository to look at once all is up; may be repeated.", metavar="PATH"),
]
Processes = Annotated[bool, typer.Option("--processes", help="Each service as a process of its own.")]


def up(
    port: Port = None, target: Targets = None, processes: Processes = False, as_json: Json = False
) -> None:
    """Run all eight services until stopped with Ctrl-C or SIGTERM.

    Example: aps up
    Example: aps up --port 4100 --target ~/src/project --processes
    """
    refuse_unusable(str(path) for path in target or ())
    from services.cli.swarm import swarming

    order = swarming.Order(port, tuple(str(path) for path in target or ()), processes)
    run(lambda settings: swarming.up(settings, order, as_json=as_json), traced=False)


def run_one(
    role: Annotated[str, typer.Argument(help="One of the eight services.", metavar="ROLE")],
    as_json: Json = False,
) -> None:
    """Run one service until stopped; start as many copies as you like, they share the work.

    The services are pm, architect, developer, qa, devops, deployer, projector and gateway.

    Example: aps run developer
    """
    from services.cli.swarm import swarming
    from services.cli.swarm.roles import SERVICES

    if role not in SERVICES:
        fail(Exit.USAGE, f"no service {role!r}; there is: {', '.join(SERVICES)}")
    run(
        lambda settings: swarming.run_one(settings, role, as_json=as_json),
        service=role,
        stderr=True,
        traced=False,
    )
