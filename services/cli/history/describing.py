"""Describes a type of event for somebody who meets it for the first time."""

from services.actions.documenting import DOCUMENT, Documentation, Resource
from services.actions.resources import event_types, of_event, type_of
from services.cli.consulting import as_made, performed, say_who_made
from services.cli.desk import at_log, not_found
from services.cli.session import print_json
from services.cli.tables import show_table
from services.cycle.text import plain_text
from services.runtime.settings import Settings


def event_type(named: str) -> str:
    """Return the type that is named; ends the command with 3 and the nearest where there is none."""
    kind = type_of(named)
    if kind is None:
        short = [name.removeprefix("aps.").rpartition(".")[0] for name in event_types()]
        raise not_found("type of event", named, short)
    return kind


async def describe(settings: Settings, named: str, engine: str, *, as_json: bool) -> None:
    """Describe a type of event."""
    resource = of_event(event_type(named))
    async with at_log(settings) as desk:
        made = await performed(settings, desk.book, DOCUMENT, resource, engine)
    say_who_made(made)
    if as_json:
        print_json({"type": resource.name, **_described(resource, made.value), **as_made(made)})
    else:
        _show(resource, made.value)


def _described(resource: Resource, made: Documentation) -> dict[str, object]:
    known = {part.name: part for part in resource.parts}
    fields = [
        {
            "name": part.name,
            "type": known[part.name].type,
            "required": known[part.name].required,
            "says": part.says,
        }
        for part in made.parts
    ]
    return {"summary": made.summary, "fields": fields, "notes": resource.notes}


def _show(resource: Resource, made: Documentation) -> None:
    print(resource.name)
    print(plain_text(made.summary))
    for note in resource.notes:
        print(plain_text(note))
    known = {part.name: part for part in resource.parts}
    print()
    show_table(
        ("FIELD!", "TYPE", "REQUIRED!", "SAYS"),
        [(p.name, known[p.name].type, known[p.name].required, p.says) for p in made.parts],
        empty="it has no fields",
    )
