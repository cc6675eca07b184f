"""`aps improve` and `aps discover`: one cycle from the command line, followed to its end."""

from typing import Annotated, Any

import typer

from services.cli.aiming import refuse_unusable
from services.cli.session import Exit, fail, run

Target = Annotated[
    str, typer.Argument(help="A folder with a git repository, or sdist:NAME==VERSION.", metavar="TARGET")
]
Limit = Annotated[
    int,
    typer.Option(
        help="Work on, and land, at most so many improvements, best first. Those an earlier run left proven "
        "or waiting count too; those that landed or were refused do not. 0 is all.",
        min=0,
    ),
]
Rules = Annotated[str, typer.Option(help="Rules to look for, by comma.", metavar="RULES")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Engine = Annotated[str, typer.Option(help="The engine that writes changes.")]

ENGINES = ("deterministic",)


def improve(
    target: Target,
    engine: Engine = "deterministic",
    limit: Limit = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Prove everything, land nothing.")] = False,
    rules: Rules = "",
    as_json: Json = False,
) -> None:
    """Find, plan, write, prove and land improvements of TARGET on its branch aps/improved, then stop.

    Example: aps improve ~/src/project
    Example: aps improve sdist:toolz==1.2.0 --json
    """
    _refuse_engine(engine)
    refuse_unusable([target])
    from services.cli.cycle import whole as cycle
    from services.cycle.requesting import Wish

    wish = Wish(target, limit=limit, dry_run=dry_run, **_rules(rules))
    run(lambda settings: cycle.improve(settings, wish, as_json=as_json))


def discover(target: Target, rules: Rules = "", as_json: Json = False) -> None:
    """Only look: what would be improved in TARGET, in which order. Nothing is written or run.

    Example: aps discover ~/src/project
    """
    refuse_unusable([target])
    from services.cli.cycle import whole as cycle
    from services.cycle.requesting import Wish

    wish = Wish(target, look_only=True, **_rules(rules))
    run(lambda settings: cycle.discover(settings, wish, as_json=as_json))


def _refuse_engine(engine: str) -> None:
    if engine not in ENGINES:
        fail(Exit.USAGE, f"no engine {engine!r}; there is: {', '.join(ENGINES)}")


def _rules(text: str) -> dict[str, Any]:
    chosen = tuple(rule.strip() for rule in text.split(",") if rule.strip())
    return {"rules": chosen} if chosen else {}
