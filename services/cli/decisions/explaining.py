"""Explains why an improvement was refused, by what gates, tests and people said of it on the log."""

from collections.abc import Iterator

from schemas.improvement import Status
from services.actions.explaining import EXPLAIN, Evidence, Explanation, Refusal
from services.cli.consulting import as_made, performed, say_who_made
from services.cli.decisions.board import improvement
from services.cli.decisions.dossier import gathered
from services.cli.desk import at_views
from services.cli.session import Exit, Stop, print_json, say
from services.cli.tables import show_lines
from services.cycle.text import plain_text
from services.dossier import demands
from services.dossier.improvement import Dossier
from services.qa.reporting import failing_tests
from services.runtime.settings import Settings

ENDED = (Status.DECLINED, Status.ABANDONED, Status.DEPLOYMENT_FAILED, Status.ROLLED_BACK)


async def explain(settings: Settings, id: str, engine: str, *, as_json: bool) -> None:
    """Explain the refusals of an improvement; ends the command with 5 where nothing was refused."""
    async with at_views(settings) as desk:
        await improvement(desk, id)
        dossier = await gathered(desk, id, None, diff=False)
        refusal = refusal_of(dossier)
        if refusal is None:
            raise Stop(Exit.CONFLICT, f"{id} is {dossier.status.value}: nothing of it was refused")
        made = await performed(settings, desk.book, EXPLAIN, refusal, engine, id)
    for missing in dossier.missing:
        say(f"missing: {missing}")
    say_who_made(made)
    if as_json:
        told = {"improvement": id, "status": dossier.status.value, **made.value.model_dump(mode="json")}
        print_json({**told, **as_made(made)})
    else:
        _show(made.value)


def refusal_of(one: Dossier) -> Refusal | None:
    """Return what there is to explain of an improvement; None where nothing was refused."""
    if not one.refusals and one.status not in ENDED:
        return None
    evidence = {each.key: each for each in _evidence(one)}
    return Refusal(
        id=one.id,
        status=one.status.value,
        title=one.title,
        reason=one.reason,
        evidence=tuple(evidence.values()),
        commands=tuple(f"{command.purpose}: {command.line}" for command in one.commands),
    )


def _evidence(one: Dossier) -> Iterator[Evidence]:
    """Give what stands against a change; of what is told again, the last word counts."""
    for refused in one.refusals:
        yield from gates_in(refused.reason)
        for test, said in failing_tests(refused.bug_report).items():
            yield Evidence(kind="test", name=test, says=said)
        yield Evidence(kind="word", name=f"attempt {refused.attempt}", says=refused.reason)
    if one.status in ENDED:
        yield Evidence(kind="word", name=one.status.value, says=one.reason)


def gates_in(reason: str) -> Iterator[Evidence]:
    """Give the gates that QA names in a reason, each with what it said."""
    return (Evidence(kind="gate", name=name, says=said) for name, said in demands.gates_in(reason))


def _show(made: Explanation) -> None:
    print(plain_text(made.summary))
    print("\nCauses")
    show_lines((cause.evidence, cause.says) for cause in made.causes)
    print("\nWhat to do next")
    for step in made.next_steps:
        print(f"- {plain_text(step)}")
