"""Describes a type of event, an endpoint or a workflow for somebody who meets it for the first time."""

from pydantic import ValidationError

from services.actions.documenting import DOCUMENT, Documentation, Resource
from services.actions.endpoints import endpoints, of_endpoint
from services.actions.resources import Workflow, event_types, of_event, of_workflow, type_of
from services.cli.consulting import as_made, performed, say_who_made
from services.cli.desk import at_log, not_found
from services.cli.documents.exchange import STDIO, content
from services.cli.session import Exit, Stop, print_json
from services.cli.tables import show_table
from services.cycle.text import plain_text
from services.documents.reading import Unprocessable
from services.documents.tree import parse, plain
from services.gateway.app import ROUTES
from services.gateway.http.openapi import document
from services.runtime.settings import Settings
from services.runtime.version import own_version

FILES = (".yaml", ".yml")


async def describe(settings: Settings, named: str, engine: str, *, as_json: bool) -> None:
    """Describe what is named; ends the command with 3 where there is nothing called so."""
    resource = resource_of(named)
    async with at_log(settings) as desk:
        made = await performed(settings, desk.book, DOCUMENT, resource, engine)
    say_who_made(made)
    if as_json:
        told = {"kind": resource.kind, "name": resource.name, "summary": made.value.summary}
        print_json({**told, "parts": _parts(resource, made.value), "notes": resource.notes, **as_made(made)})
    else:
        _show(resource, made.value)


def resource_of(named: str) -> Resource:
    """Return a type of event, an endpoint such as `GET /api/health`, or the workflow of a file."""
    if kind := type_of(named):
        return of_event(kind)
    if named == STDIO or named.endswith(FILES):
        return of_workflow(_workflow(named))
    served = document(ROUTES, own_version())
    addresses = endpoints(served)
    if named in addresses:
        return of_endpoint(served, named)
    types = [name.removeprefix("aps.").rpartition(".")[0] for name in event_types()]
    raise not_found("type of event or endpoint", named, [*types, *addresses])


def _workflow(file: str) -> Workflow:
    """Read a workflow; ends the command with 3 where there is no such file, and with 1 for what is none."""
    try:
        return Workflow.model_validate(plain(parse(content(file))))
    except Unprocessable as refused:
        wrong = "; ".join(map(str, refused.problems))
    except ValidationError as refused:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in refused.errors())
    raise Stop(Exit.FAILED, f"{plain_text(file)} is no workflow: {plain_text(wrong)}")


def _parts(resource: Resource, made: Documentation) -> list[dict[str, object]]:
    known = {part.name: part for part in resource.parts}
    return [
        {"name": p.name, "type": known[p.name].type, "required": known[p.name].required, "says": p.says}
        for p in made.parts
    ]


def _show(resource: Resource, made: Documentation) -> None:
    print(plain_text(resource.name))
    for line in (made.summary, *resource.notes):
        print(plain_text(line))
    print()
    rows = [tuple(part.values()) for part in _parts(resource, made)]
    show_table(("PART!", "TYPE", "REQUIRED!", "SAYS"), rows, empty="it has no parts")
