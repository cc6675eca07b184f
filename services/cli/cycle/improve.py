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
    """Improve TARGET: prove changes, land them on a branch.

    They land on the branch aps/improved of TARGET; then the command stops. What was dealt with before is not
    tried again by itself, nor what could not be deployed: mend what stood in the way, then `aps improvements
    retry ID`, which the ending names.

    Example: aps improve ~/src/project
    Example: aps improve sdist:toolz==1.2.0 --json
    """
    _refuse_engine(engine)
    chosen = _rules(rules)
    refuse_unusable([target])
    from services.cli.cycle import whole as cycle
    from services.cycle.requesting import Wish

    wish = Wish(target, limit=limit, dry_run=dry_run, **chosen)
    run(lambda settings: cycle.improve(settings, wish, as_json=as_json))


def discover(target: Target, rules: Rules = "", as_json: Json = False) -> None:
    """Only look: what would be improved in TARGET.

    In the order it would be worked on. Nothing is written or run.

    Example: aps discover ~/src/project
    """
    chosen = _rules(rules)
    refuse_unusable([target])
    from services.cli.cycle import whole as cycle
    from services.cycle.requesting import Wish

    wish = Wish(target, look_only=True, **chosen)
    run(lambda settings: cycle.discover(settings, wish, as_json=as_json))


def _refuse_engine(engine: str) -> None:
    if engine not in ENGINES:
        fail(Exit.USAGE, f"no engine {engine!r}; there is: {', '.join(ENGINES)}")


def _rules(text: str) -> dict[str, Any]:
    chosen = tuple(rule.strip() for rule in text.split(",") if rule.strip())
    if not chosen:
        return {}
    from services.cli.cycle.rule_names import unknown_rules

    if unknown := unknown_rules(chosen):
        fail(
            Exit.USAGE,
            f"no rule {', '.join(unknown)}; name ruff's rules or their prefixes, such as F,UP,B006",
        )
    return {"rules": chosen}
