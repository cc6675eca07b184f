"""Proposes validation rules for the events of a type, as they stand on the log."""

from services.actions.proposing import PROPOSE
from services.actions.resources import event_types, of_events, type_of
from services.actions.rules import Rule, Rules
from services.cli.consulting import as_made, performed, say_who_made
from services.cli.desk import at_log, not_found
from services.cli.history.reading import Chosen, last
from services.cli.session import Exit, Stop, print_json, say
from services.cli.tables import show_table
from services.cycle.words import counted
from services.runtime.settings import Settings


async def propose(settings: Settings, named: str, most: int, engine: str, *, as_json: bool) -> None:
    """Propose rules that the last events of a type hold to; ends the command with 3 where there is none."""
    kind = event_type(named)
    _, aggregate, fact, _ = kind.split(".")
    async with at_log(settings) as desk:
        found = await last(desk.book.store, Chosen(aggregate, fact=fact), most)
        events = [event.envelope.data for event in found if event.envelope.type == kind]
        if not events:
            raise Stop(Exit.NOT_FOUND, f"no event of the type {kind} is on the log yet")
        observed = of_events(kind, events)
        made = await performed(settings, desk.book, PROPOSE, observed, engine)
    say(f"{counted(observed.examples, 'event')} of type {kind} looked at; each rule holds for all of them")
    say_who_made(made)
    if as_json:
        told = {"type": kind, "examples": observed.examples, **made.value.model_dump(mode="json")}
        print_json({**told, **as_made(made)})
    else:
        _show(made.value)


def event_type(named: str) -> str:
    """Return the type that is named; ends the command with 3 and the nearest where there is none."""
    kind = type_of(named)
    if kind is None:
        types = [name.removeprefix("aps.").rpartition(".")[0] for name in event_types()]
        raise not_found("type of event", named, types)
    return kind


def _show(made: Rules) -> None:
    rows = [(rule.field, rule.demand.value, _value(rule), rule.why) for rule in made.rules]
    show_table(("FIELD", "DEMAND!", "VALUE", "WHY"), rows, empty="no rule follows from what was seen")


def _value(rule: Rule) -> str:
    return rule.text or ", ".join(rule.values) or ("" if rule.number is None else str(rule.number))
