"""Finds, in a stack of improvements, the parts that break the suite, with a bounded number of runs.

Rules
1. The whole stack is tried first. When it is red, the first guilty member is found by halving prefixes
   on top of what is accepted; inside it the first guilty site, at file boundaries where that costs no
   run. What came before it is kept, it is left out, and everything that remains is tried at once.
2. Only a green candidate is ever accepted, so what is kept at the end was tested exactly as it is. The
   empty candidate is the base, green by definition.
3. The runs never exceed members + 4 (less those spent elsewhere), plus ceil(log2(sites)) for each member
   that is split. What they do not suffice for is left out, and its reason says so.
4. Nothing is remembered between calls: the same members, outcomes and refusals give the same next step,
   so a search that was cut off goes on where it stood.
"""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from schemas.findings import Site
from schemas.improvement import LeftOut
from services.qa.candidate import (
    BROKE,
    UNSEARCHED,
    UNTESTED,
    Candidate,
    Done,
    Guilt,
    Member,
    Part,
    Refusal,
    Share,
    Split,
    Test,
)

SPARE_RUNS = 4


def next_step(
    members: Sequence[Member],
    outcomes: Mapping[str, bool],
    *,
    already_spent: int = SPARE_RUNS - 1,
    free: Collection[str] = (),
    refusals: Sequence[Sequence[Refusal]] = (),
) -> Test | Done:
    """Say what to test next, or what came out.

    `outcomes` maps a candidate's key to whether its suite was no worse than the baseline. `free` names
    the keys that cost no run because their tree had been tested before. `already_spent` of the four
    spare runs went elsewhere. Each round of `refusals` applies to what the search had settled before it.
    """
    search = _Search(members, len(members) + SPARE_RUNS - already_spent, frozenset(free))
    steps = search.rounds(refusals)
    try:
        candidate = next(steps)
        while candidate.key in outcomes:
            candidate = steps.send(outcomes[candidate.key])
    except StopIteration:
        return search.done()
    return Test(candidate, tuple(search.splits), search.runs)


@dataclass(frozen=True)
class _Unit:
    """The smallest thing that can be left out: one site of one member, or a member without sites.

    Compared by its number alone, because a long stack is compared many times.
    """

    number: int
    member: str = field(compare=False)
    site: Site | None = field(compare=False)

    @property
    def path(self) -> str:
        return self.site.path if self.site is not None else ""


_Units = tuple[_Unit, ...]
_Steps = Generator[Candidate, bool, None]


def _units(member: Member, numbers: Iterator[int]) -> _Units:
    """The member's distinct sites, those of one file together, files in order of first appearance."""
    by_file: dict[str, dict[Site, None]] = {}
    for site in member.sites:
        by_file.setdefault(site.path, {})[site] = None
    sites = tuple(site for sites in by_file.values() for site in sites) or (None,)
    return tuple(_Unit(next(numbers), member.id, site) for site in sites)


def _doublings(count: int) -> int:
    """ceil(log2(count)): the halvings that single out one of `count`."""
    return max(count - 1, 0).bit_length()


def _reserve(members: int) -> int:
    """Runs kept back for `members` not judged yet: one each, or enough to find one guilty among many."""
    return min(members, 2 + _doublings(members))


def _one_by_one(members: int, left: int) -> bool:
    """Whether each gets a run of its own: for a handful, halving saves nothing but may not judge all."""
    return members == _reserve(members) and left >= members


def _halfway(units: _Units, low: int, high: int) -> int:
    """A cut that still needs only ceil(log2) halvings: at the file boundary nearest the middle, if any."""
    half = 1 << (_doublings(high - low) - 1)
    middle = (low + high) // 2
    cuts = range(max(high - half, low + 1), min(low + half, high - 1) + 1)
    boundaries = [cut for cut in cuts if units[cut - 1].path != units[cut].path]
    return min(boundaries, key=lambda cut: abs(cut - middle), default=middle)


def _flat(groups: Iterable[_Units]) -> _Units:
    return tuple(unit for group in groups for unit in group)


class _Search:
    """One replay of the search: every run it asks for is yielded, its outcome sent back."""

    def __init__(self, members: Sequence[Member], left: int, free: frozenset[str]) -> None:
        numbers = count()
        self._all = {member.id: _units(member, numbers) for member in members}
        self._left = left
        self._free = free
        self._known: dict[str, bool] = {}
        self._greens: list[_Units] = [()]
        self._credit: dict[str, int] = {}
        self._accepted: _Units = ()
        self._reasons: dict[_Unit, str] = {}
        self._guilty: list[Guilt] = []
        self.splits: list[Split] = []
        self.runs = 0

    def rounds(self, refusals: Sequence[Sequence[Refusal]]) -> _Steps:
        """Search the whole stack, then again what each round of refusals leaves of it."""
        yield from self._settle(list(self._all.values()))
        for refused in refusals:
            before = self._accepted
            for refusal in refused:
                for unit in self._refused_units(refusal):
                    self._reasons[unit] = refusal.reason
            keep = tuple(unit for unit in before if unit not in self._reasons)
            if keep != before:
                self._accepted = ()
                yield from self._settle(self._groups(keep))
                self._fall_back(keep)

    def _refused_units(self, refusal: Refusal) -> _Units:
        """The accepted units meant; all of the member's when the parts named match none of them."""
        mine = tuple(unit for unit in self._accepted if unit.member == refusal.improvement)
        meant = tuple(
            unit
            for unit in mine
            if any(part.path == unit.path and part.site in (None, unit.site) for part in refusal.parts)
        )
        return meant or mine

    def _fall_back(self, keep: _Units) -> None:
        """Take an earlier green candidate within `keep` where the runs did not suffice for a better one."""
        best = max((green for green in self._greens if set(green) <= set(keep)), key=len)
        if len(best) > len(self._accepted):
            self._accepted = best
            for unit in best:
                self._reasons.pop(unit, None)

    def _settle(self, pending: list[_Units]) -> _Steps:
        """Judge every group of `pending` on top of what is accepted."""
        while pending:
            if self._left <= 0:
                self._leave_out(_flat(pending), UNTESTED)
                return
            tight = self._left == len(pending) and _one_by_one(len(pending), self._left)
            size = 1 if tight else len(pending)
            if (yield from self._green(self._accepted + _flat(pending[:size]))):
                self._accepted += _flat(pending[:size])
                del pending[:size]
            else:
                yield from self._first_guilty(pending, size)

    def _first_guilty(self, pending: list[_Units], high: int) -> _Steps:
        """Accept what stands before the first guilty group of the red `pending[:high]`, and split that.

        Guilt clusters: what remains of a member already split is tried alone first, or given up when
        the runs are needed for the others.
        """
        low = 0
        again = high > 1 and pending[0][0].member in self._credit
        if again and self._left - 1 < _reserve(len(pending) - 1):
            self._leave_out(pending.pop(0), UNSEARCHED)
            return
        while high - low > 1 and self._left > 0:
            single = (again and low == 0) or _one_by_one(len(pending) - low, self._left)
            middle = low + 1 if single else (low + high) // 2
            if (yield from self._green(self._accepted + _flat(pending[:middle]))):
                low = middle
            else:
                high = middle
        self._accepted += _flat(pending[:low])
        del pending[:low]
        if high - low == 1:
            yield from self._split(pending)

    def _split(self, pending: list[_Units]) -> _Steps:
        """Leave out the first guilty site of `pending[0]`, which is red; what follows it stays pending."""
        group = pending.pop(0)
        member = group[0].member
        if len(group) > 1 and member not in self._credit:
            self._credit[member] = _doublings(len(self._all[member]))
            self._left += self._credit[member]
        low, high = 0, len(group)
        while high - low > 1 and self._affordable(member, len(pending)):
            middle = _halfway(group, low, high)
            self._note_split(group, middle)
            if (yield from self._green(self._accepted + group[:middle])):
                low = middle
            else:
                high = middle
            self._credit[member] = max(self._credit[member] - 1, 0)
        red = _candidate(self._all, self._accepted + group[:high]).key
        self._accepted += group[:low]
        self._leave_out(group[low:high], BROKE if high - low == 1 else UNSEARCHED)
        if high - low == 1:
            site = group[low].site
            self._guilty.append(Guilt(member, None if site is None else Part(site.path, site), red))
        if group[high:]:
            pending.insert(0, group[high:])

    def _affordable(self, member: str, others: int) -> bool:
        """Whether a run inside `member` is paid by its own split, or is left over by the others."""
        return self._left > 0 and (self._credit[member] > 0 or self._left - 1 >= _reserve(others))

    def _note_split(self, group: _Units, cut: int) -> None:
        """Record, once for each kind, that the member is tried in files, or in sites."""
        member, everything = group[0].member, self._all[group[0].member]
        at_boundary = group[cut - 1].path != group[cut].path
        parts = len({unit.path for unit in everything}) if at_boundary else len(everything)
        split = Split(member, "file" if at_boundary else "site", parts)
        if split not in self.splits:
            self.splits.append(split)

    def _green(self, units: _Units) -> Generator[Candidate, bool, bool]:
        """Ask for a run, unless this very candidate was asked for before."""
        candidate = _candidate(self._all, units)
        if candidate.key not in self._known:
            self._known[candidate.key] = yield candidate
            cost = 0 if candidate.key in self._free else 1
            self.runs += cost
            self._left -= cost
            if self._known[candidate.key]:
                self._greens.append(units)
        return self._known[candidate.key]

    def _leave_out(self, units: _Units, reason: str) -> None:
        self._reasons.update(dict.fromkeys(units, reason))

    def _groups(self, units: _Units) -> list[_Units]:
        groups = (tuple(unit for unit in units if unit.member == member) for member in self._all)
        return [group for group in groups if group]

    def done(self) -> Done:
        """Tell what came out, member by member."""
        accepted = set(self._accepted)
        kept: list[str] = []
        smaller: dict[str, tuple[LeftOut, ...]] = {}
        refused: dict[str, str] = {}
        for member, units in self._all.items():
            out = tuple(unit for unit in units if unit not in accepted)
            if not out:
                kept.append(member)
            elif len(out) == len(units):
                refused[member] = self._reason(out)
            else:
                smaller[member] = tuple(
                    LeftOut(path=p.path, site=p.site, reason=self._reason(_within(out, p)))
                    for p in _parts(units, out)
                )
        candidate = _candidate(self._all, self._accepted)
        guilty, splits = tuple(self._guilty), tuple(self.splits)
        return Done(candidate, tuple(kept), smaller, refused, guilty, splits, self.runs)

    def _reason(self, units: Iterable[_Unit]) -> str:
        return "; ".join(dict.fromkeys(self._reasons[unit] for unit in units))


def _within(units: _Units, part: Part) -> _Units:
    """Choose the units that `part` stands for."""
    return tuple(unit for unit in units if unit.path == part.path and part.site in (None, unit.site))


def _parts(units: _Units, out: _Units) -> tuple[Part, ...]:
    """Name `out` of a member's `units`: a file where all of it is out, else its sites."""
    if not out:
        return ()
    gone = set(out)
    spared = {unit.path for unit in units if unit not in gone}
    parts = (Part(unit.path, unit.site if unit.path in spared else None) for unit in out)
    return tuple(dict.fromkeys(parts))


def _candidate(members: Mapping[str, _Units], taken: _Units) -> Candidate:
    """The candidate that takes exactly `taken`."""
    chosen: dict[str, set[_Unit]] = {}
    for unit in taken:
        chosen.setdefault(unit.member, set()).add(unit)
    shares = []
    for member, units in members.items():
        mine = chosen.get(member, set())
        whole = len(mine) == len(units)
        if mine:
            out = () if whole else tuple(unit for unit in units if unit not in mine)
            shares.append(Share(member, _parts(units, out)))
    return Candidate(tuple(shares))
