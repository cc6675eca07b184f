"""Tells what a proof found: each fault, each message that is no event, and how far signed heads reach."""

from collections.abc import Iterable
from dataclasses import dataclass

from events.evidence.verify import LOG, Fault, Notice
from services.cli.session import Exit, Stop, print_json
from services.cycle.text import plain_text
from services.cycle.words import counted


@dataclass(frozen=True)
class Proof:
    """How many messages were looked at, what is wrong, how far heads signed by `key` reach, and what else.

    A message that is no event is no fault: nobody altered the log.
    """

    events: int
    faults: tuple[Fault, ...]
    signed: int = 0
    key: str = ""
    notes: tuple[str, ...] = ()
    unreadable: tuple[Notice, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return faults by their places."""
    return tuple(sorted(faults, key=lambda fault: fault.seq))


def tell(file: str, proof: Proof, *, as_json: bool) -> None:
    """Print a proof; ends the command with 1 when something is wrong."""
    if as_json:
        place = {"file": file} if file else {}
        found = {"events": proof.events, "sound": proof.sound, "signed": proof.signed, "key": proof.key}
        more = {"notes": proof.notes, "unreadable": proof.unreadable, "faults": proof.faults}
        print_json({**place, **found, **more})
    else:
        places: list[Fault | Notice] = [*proof.faults, *proof.unreadable]
        for one in sorted(places, key=lambda one: one.seq):
            print(told(one))
    if not proof.sound:
        raise Stop(Exit.FAILED, f"{counted(len(proof.faults), 'fault')} in {counted(proof.events, 'event')}")
    if not as_json:
        print(f"{_counted(proof)}: every hash, link, version and sequence holds")
        print(_signed(proof))
        for note in proof.notes:
            print(note)


def _counted(proof: Proof) -> str:
    others = len(proof.unreadable)
    events = counted(proof.events - others, "event")
    return f"{events}, and messages that are none: {others}" if others else events


def _signed(proof: Proof) -> str:
    if not proof.signed:
        return "no head was signed yet"
    rest = proof.events - proof.signed
    events = "the last one is" if rest == 1 else f"the last {rest} are"
    after = f"; {events} not signed yet" if rest else ""
    return f"signed heads reach up to sequence {proof.signed}{after}; checked with key {proof.key}"


def told(fault: Fault | Notice) -> str:
    """Return a fault, or what is to be told besides, as one line a person reads."""
    what = plain_text(fault.what)
    if not fault.seq:
        return f"{plain_text(fault.where)}: {what}"
    where = f" ({plain_text(fault.where)})" if fault.where != LOG else ""
    return f"sequence {fault.seq}{where}: {what}"
