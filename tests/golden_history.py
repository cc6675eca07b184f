"""The golden histories: events as programs of each published vocabulary left them, kept for ever.

`python -m tests.golden_history` adds the next one, from `tests/golden_story.py`, and never touches those
before it. `python -m tests.golden_history --outcome` writes down anew what the histories come to today:
the states of their aggregates, and the rows of views whose version was raised.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from events.catalogue import AGGREGATES, FACTS, read_fact
from events.envelope import Cause, decode
from events.fact import Fact, Stamp
from events.memory import InMemoryEventStore
from events.store import Batch, EventStore, Position, Recorded
from projections.fold import fold
from projections.table import as_json
from projections.views.catalogue import VIEWS
from tests.golden_story import story
from tests.golden_telling import BEGAN, Told

FOLDER = Path(__file__).parent / "golden"
CORRELATION = "5f0c8f5e-6f0b-4c57-9d6c-2f1d4c3e8a01"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass(frozen=True)
class History:
    """One golden history: `events.jsonl`, a line an event as it was stored, and `outcome.json`."""

    folder: Path

    @property
    def lines(self) -> list[bytes]:
        """The events' bytes, in the order of the log."""
        return (self.folder / "events.jsonl").read_bytes().splitlines()

    @property
    def events(self) -> list[Recorded]:
        """The events, numbered as they stood on their log."""
        return [Recorded(seq, decode(line)) for seq, line in enumerate(self.lines, start=1)]

    @property
    def outcome(self) -> dict[str, Any]:
        """What was written down of the states and the rows."""
        found: dict[str, Any] = orjson.loads((self.folder / "outcome.json").read_bytes())
        return found


def histories(folder: Path = FOLDER) -> list[History]:
    """Return all golden histories, the oldest first; raise ValueError when one between them is gone."""
    numbers = sorted(int(path.name.removeprefix("v")) for path in folder.iterdir())
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"{folder} holds {numbers}: a golden history is kept for ever")
    return [History(folder / f"v{number}") for number in numbers]


Clock = Callable[[], datetime]


async def recorded(
    told: Sequence[Told], on: Callable[[Clock], EventStore] = InMemoryEventStore
) -> list[Recorded]:
    """Append facts to an empty store as the services do, each admitted by its rules; return the log."""
    now = BEGAN
    store = on(lambda: now)
    states: dict[tuple[str, str], Any] = {}
    positions: dict[tuple[str, str], Position] = {}
    event = ""
    for one in told:
        now += timedelta(seconds=1)
        kind, key = AGGREGATES[one.aggregate], (one.aggregate, one.id)
        state, position = states.get(key, kind.initial), positions.get(key, Position())
        kind.decide(state, one.fact, now)
        trace = TRACE if one.actor == "gateway" else ""
        cause = Cause(one.actor, f"aps/{one.actor.partition('-')[0]}", CORRELATION, event, trace)
        (positions[key],) = await store.append_many([Batch(*key, position, (one.fact,))], cause)
        states[key] = kind.evolve(state, one.fact, Stamp(positions[key].version, now, one.actor))
        event = (await store.read(*key))[0][-1].envelope.id
    return [event async for event in store.read_all()]


def outcome(events: Sequence[Recorded]) -> dict[str, Any]:
    """Return what today's program makes of events: states by aggregate, rows by view and key."""
    folded = fold(events, {}, VIEWS)
    if folded.poisoned:
        raise ValueError(f"not every event can be applied: {folded.poisoned}")
    rows = {
        pending.view.name: {
            "version": pending.view.version,
            "rows": {
                _key(key): row
                for key, row in zip(pending.rows, orjson.loads(as_json(pending.rows.values())), strict=True)
            },
        }
        for pending in folded.pending
    }
    return {"states": _states(events), "rows": rows}


def _states(events: Sequence[Recorded]) -> dict[str, Any]:
    told: dict[str, list[tuple[Fact, Stamp]]] = {}
    for event in events:
        envelope = event.envelope
        stamp = Stamp(envelope.sequence, envelope.at, envelope.actor)
        told.setdefault(envelope.subject, []).append((read_fact(envelope), stamp))
    return {id: plain(AGGREGATES[id.partition("/")[0]].fold(facts)) for id, facts in told.items()}


def _key(key: object) -> str:
    return "/".join(map(str, key)) if isinstance(key, tuple) else str(key)


def plain(value: Any) -> Any:
    """Return a state as JSON values; a fact by its name."""
    if isinstance(value, Fact):
        return {value.name: value.model_dump(mode="json")}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {_key(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def lost(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """Yield where `after` does not hold what `before` held; what is new beside it does not matter."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            where = f"{at}.{name}".lstrip(".")
            if name in after:
                yield from lost(value, after[name], where)
            else:
                yield f"{where} is gone"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from lost(*pair, f"{at}[{number}]")
    elif before != after:
        yield f"{at} was {before!r}, is {after!r}"


def rows_lost(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Yield the views that give other rows than they did, at the same version."""
    for name, was in before["rows"].items():
        now = after["rows"].get(name)
        if now is not None and now["version"] == was["version"] and now != was:
            yield f"the rows of {name} differ: raise the version of the view, or undo the change"


def write_outcome(history: History, found: dict[str, Any]) -> None:
    """Write down what a history comes to."""
    body = orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    (history.folder / "outcome.json").write_bytes(body + b"\n")


def add(folder: Path, told: Sequence[Told]) -> str:
    """Write the next golden history; return what was done. Raises ValueError when a fact is not told."""
    events = asyncio.run(recorded(told))
    untold = sorted(set(FACTS) - {event.envelope.type for event in events})
    if untold:
        raise ValueError(f"the story never tells {', '.join(untold)}; tell it in tests/golden_story.py")
    lines = [event.envelope.encode() for event in events]
    known = histories(folder)
    if known and known[-1].lines == lines:
        return f"{known[-1].folder.name} is what would be written: nothing to add"
    history, found = History(folder / f"v{len(known) + 1}"), outcome(events)
    history.folder.mkdir()
    (history.folder / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    write_outcome(history, found)
    return f"{history.folder.name} holds {len(lines)} events"


def renew(folder: Path) -> str:
    """Write all outcomes anew. Raises ValueError for a view that changed without a new version."""
    found = [(one, outcome(one.events)) for one in histories(folder)]
    wrong = [what for one, now in found for what in rows_lost(one.outcome, now)]
    if wrong:
        raise ValueError("; ".join(wrong))
    for one, now in found:
        write_outcome(one, now)
    return f"wrote what {len(found)} histories come to"


def main(arguments: Sequence[str], folder: Path = FOLDER, told: Sequence[Told] | None = None) -> int:
    """Add a history, or with `--outcome` write outcomes anew; return the exit code."""
    if tuple(arguments) not in ((), ("--outcome",)):
        sys.stderr.write("usage: python -m tests.golden_history [--outcome]\n")
        return 2
    try:
        done = renew(folder) if arguments else add(folder, story() if told is None else told)
    except ValueError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(f"{done}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
