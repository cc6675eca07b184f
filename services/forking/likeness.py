"""Says whether two cycles are the same but for ids and times: pure.

Rules
1. Ids: of events, of runs, of deployments, of commits (which hold a time), of processes. Where one takes the
   place of another it does so everywhere. Trees, and so every byte of a change, are compared as they are.
2. Times: moments, durations, who held which work until when, and that it waited for a budget.
3. Events are compared aggregate by aggregate, in the order of each. Of budgets and of engines' places only
   what was done for a run of the cycle counts: the rest depends on the day.
4. Content that events name is compared too: to the byte, or else without what rules 1 and 2 leave out, and
   without the digests and sizes that it gives of other content.
5. What the end of the work found still open (a batch that nobody waited for) may stand on one side alone,
   after the last event of an improvement. What a health command said is left out: it reaches outside, and so
   is not run in a fork.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from pydantic import JsonValue

from events.deployment import HealthChecked
from events.improvement_facts import Blocked, Unblocked
from events.lease import LEASE_FACTS
from schemas.base import Frozen
from services.asking.stops import unvarying

ACCOUNTS = ("budget", "engine")
IMPROVEMENT = "improvement"
HELD = tuple(fact.name for fact in LEASE_FACTS)
HEALTH = HealthChecked.name
SIDES = ("original", "rerun")
TIMES = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
MEASURED = re.compile(r"((?:\w+_ms|size)\"?: ?)\d+")
COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
PROCESS = re.compile(r"\b([a-z]+)@[\w.-]+-\d+\b")
DATED = re.compile(r"\b(day|engine-[\w-]+?)-\d{4}-\d\d(-\d\d)?\b")
_UNDATED = r"\1"
CUT = 160


@dataclass(frozen=True)
class Told:
    """One event: `data` with the content of artefacts in place of digests, `by` the role that recorded it."""

    seq: int
    aggregate: str
    id: str
    fact: str
    by: str
    data: Mapping[str, JsonValue]


class Unlike(Frozen):
    """A place where two cycles differ: in which aggregate, which fact, which field, and how."""

    where: str
    fact: str
    field: str
    original: str
    rerun: str


class Likeness(Frozen):
    """How many events were compared, where they differ, and what was left out, with the side it stands on."""

    compared: int
    unlike: tuple[Unlike, ...]
    left_out: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.unlike


@dataclass
class _Renames:
    """Which id of the one side stands for which of the other."""

    there: dict[str, str] = field(default_factory=dict)
    back: dict[str, str] = field(default_factory=dict)

    def same(self, one: str, other: str) -> bool:
        """Whether `other` stands for `one`, as it does from now on when neither stood for anything."""
        return self.there.setdefault(one, other) == other and self.back.setdefault(other, one) == one


def alike(original: Sequence[Told], rerun: Sequence[Told]) -> Likeness:
    """Compare two cycles."""
    sides = _Side(original), _Side(rerun)
    comparison = _Comparison(sides)
    labels = dict.fromkeys((*sides[0].by_label, *sides[1].by_label))
    unlike = [found for label in labels for found in comparison.of(label)]
    return Likeness(compared=comparison.compared, unlike=tuple(unlike), left_out=tuple(comparison.left_out))


class _Side:
    """One cycle: its events by aggregate, each aggregate under a name that both sides know."""

    def __init__(self, told: Sequence[Told]) -> None:
        self.runs = _run_labels(told)
        self._names = {**self.runs, **_deployment_labels(told)}
        own = [one for one in told if self._counts(one)]
        self.outside = [(self._label(one), one) for one in told if one.fact == HEALTH]
        self.by_label: dict[str, list[Told]] = {}
        for one in own:
            self.by_label.setdefault(self._label(one), []).append(one)
        self.end = max((one.seq for one in own if one.aggregate == IMPROVEMENT), default=0)

    def _counts(self, one: Told) -> bool:
        if one.aggregate in ACCOUNTS:
            return one.data.get("run") in self.runs
        return one.fact not in (*HELD, HEALTH) and not _waits_for_budget(one)

    def _label(self, one: Told) -> str:
        if one.aggregate in ACCOUNTS:
            return f"{one.aggregate} {DATED.sub(_UNDATED, one.id)}"
        return self._names.get(one.id, f"{one.aggregate} {one.id}")

    def named(self, text: str) -> str:
        """Return a text with the names of runs and deployments that both sides know."""
        for id, label in self._names.items():
            text = text.replace(id, label)
        return text


def _waits_for_budget(one: Told) -> bool:
    return one.fact == Unblocked.name or (one.fact == Blocked.name and bool(one.data.get("budget")))


def _run_labels(told: Iterable[Told]) -> dict[str, str]:
    """Return a name for each run: which one of its task it was."""
    count, labels = Counter[str](), dict[str, str]()
    for one in told:
        if one.aggregate == "run" and one.fact == "requested":
            whose = f"{one.data.get('role')}.{one.data.get('task')} of {one.data.get('improvement')}"
            count[whose] += 1
            labels[one.id] = f"run {count[whose]} for {whose}"
    return labels


def _deployment_labels(told: Iterable[Told]) -> dict[str, str]:
    """Return a name for each deployment: which one it was."""
    ids = dict.fromkeys(one.id for one in told if one.aggregate == "deployment")
    return {id: f"deployment {number}" for number, id in enumerate(ids, start=1)}


class _Comparison:
    def __init__(self, sides: tuple[_Side, _Side]) -> None:
        self._sides = sides
        self._renames = _Renames()
        self.compared = 0
        self.left_out = [
            _on_side(label, one.fact, name)
            for side, name in zip(sides, SIDES, strict=True)
            for label, one in side.outside
        ]

    def of(self, label: str) -> Iterator[Unlike]:
        """Yield where an aggregate differs; what follows a fact of another kind is not compared."""
        one, other = (side.by_label.get(label, []) for side in self._sides)
        for a, b in zip_longest(one, other):
            if a is None or b is None:
                if self._is_open_end(label, a, b):
                    continue
                yield _unlike(label, a, b)
                return
            self.compared += 1
            if a.fact != b.fact:
                yield _unlike(label, a, b)
                return
            if a.by != b.by:
                yield Unlike(where=label, fact=a.fact, field="by", original=a.by, rerun=b.by)
            for name, was, now in self._fields("", dict(a.data), dict(b.data)):
                yield Unlike(where=label, fact=a.fact, field=name, original=was, rerun=now)

    def _is_open_end(self, label: str, a: Told | None, b: Told | None) -> bool:
        one, side = (a, self._sides[0]) if a is not None else (b, self._sides[1])
        if one is None or one.seq <= side.end:
            return False
        self.left_out.append(_on_side(label, one.fact, SIDES[a is None]))
        return True

    def _fields(self, name: str, a: JsonValue, b: JsonValue) -> Iterator[tuple[str, str, str]]:
        """Yield name and both values of what differs."""
        if _varies(name.rpartition(".")[2]) or a == b:
            return
        if isinstance(a, dict) and isinstance(b, dict):
            for key in dict.fromkeys((*a, *b)):
                yield from self._fields(f"{name}.{key}".lstrip("."), a.get(key), b.get(key))
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            for number, (left, right) in enumerate(zip(a, b, strict=True)):
                yield from self._fields(f"{name}.{number}", left, right)
        elif not (isinstance(a, str) and isinstance(b, str)):
            yield name, _shown(a), _shown(b)
        elif name.rpartition(".")[2] == "tree" or not self._same_text(a, b):
            yield name, *_first_difference(a, b)

    def _same_text(self, a: str, b: str) -> bool:
        a, b = (side.named(text) for side, text in zip(self._sides, (a, b), strict=True))
        commits = COMMIT.findall(a), COMMIT.findall(b)
        if len(commits[0]) != len(commits[1]):
            return False
        same = all(self._renames.same(one, other) for one, other in zip(*commits, strict=True))
        return same and _steady(a) == _steady(b)


def _on_side(label: str, fact: str, side: str) -> str:
    return f"{label}: {fact} ({side})"


def _varies(key: str) -> bool:
    return key.endswith("_ms") or key in ("claim", "lease_until", "until")


def _steady(text: str) -> str:
    """Return a text without moments, durations and processes."""
    text = PROCESS.sub(r"\1", TIMES.sub("TIME", MEASURED.sub(r"\g<1>0", text)))
    return unvarying(DATED.sub(_UNDATED, text))


def _unlike(label: str, a: Told | None, b: Told | None) -> Unlike:
    facts = tuple(one.fact if one else "nothing" for one in (a, b))
    there = a or b
    return Unlike(where=label, fact=there.fact if there else "", field="", original=facts[0], rerun=facts[1])


def _first_difference(a: str, b: str) -> tuple[str, str]:
    """Return the first line in which two texts differ, of each."""
    for one, other in zip_longest(a.splitlines(), b.splitlines(), fillvalue=""):
        if _steady(one) != _steady(other):
            return _shown(one), _shown(other)
    return _shown(a), _shown(b)


def _shown(value: JsonValue) -> str:
    text = str(value)
    return text if len(text) <= CUT else f"{text[:CUT]}…"
