"""Tells what a proof found: every fault with its place, and how far signed heads reach."""

from collections.abc import Iterable
from dataclasses import dataclass

from events.verify import LOG, Fault
from services.cli.session import Exit, Stop, print_json
from services.cycle.text import plain_text


@dataclass(frozen=True)
class Proof:
    """How many events were looked at, what is wrong, how far heads signed by `key` reach, and what else."""

    events: int
    faults: tuple[Fault, ...]
    signed: int = 0
    key: str = ""
    notes: tuple[str, ...] = ()

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
        print_json({**place, **found, "notes": proof.notes, "faults": proof.faults})
    else:
        for fault in proof.faults:
            print(told(fault))
    if not proof.sound:
        count = "1 fault" if len(proof.faults) == 1 else f"{len(proof.faults)} faults"
        raise Stop(Exit.FAILED, f"{count} in {proof.events} events")
    if not as_json:
        print(f"{proof.events} events: every hash, link, version and sequence holds")
        print(_signed(proof))
        for note in proof.notes:
            print(note)


def _signed(proof: Proof) -> str:
    if not proof.signed:
        return "no head was signed yet"
    rest = proof.events - proof.signed
    after = f"; the last {rest} are not signed yet" if rest else ""
    return f"signed heads reach up to sequence {proof.signed}{after}"


def told(fault: Fault) -> str:
    """Return a fault as one line a person reads."""
    what = plain_text(fault.what)
    if not fault.seq:
        return f"{plain_text(fault.where)}: {what}"
    where = f" ({plain_text(fault.where)})" if fault.where != LOG else ""
    return f"sequence {fault.seq}{where}: {what}"
