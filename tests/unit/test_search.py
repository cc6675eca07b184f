"""The search keeps what is green, isolates what is not, and never spends more runs than it may."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.findings import Site
from schemas.improvement import LeftOut
from services.qa.candidate import BROKE, UNSEARCHED, UNTESTED, Candidate, Done, Member, Part, Refusal, Test
from services.qa.search import next_step

Unit = tuple[str, Site | None]


def site(path: str, name: str) -> Site:
    return Site(path=path, scope="", text=name)


def member(name: str, *sites: str) -> Member:
    """A member whose sites are written `path:text`."""
    return Member(name, tuple(site(*s.split(":")) for s in sites))


def taken(members: Sequence[Member], candidate: Candidate) -> frozenset[Unit]:
    """The units a candidate applies, worked out from its words alone."""
    by_id = {m.id: m for m in members}
    out: set[Unit] = set()
    for share in candidate.shares:
        for one in by_id[share.id].sites or (None,):
            if one is None or not {Part(one.path), Part(one.path, one)} & set(share.without):
                out.add((share.id, one))
    return frozenset(out)


class Suite:
    """A suite that fails when any of the guilty combinations is wholly applied; it logs its runs."""

    def __init__(self, members: Sequence[Member], guilty: Sequence[frozenset[Unit]]) -> None:
        self.members, self.guilty = members, guilty
        self.outcomes: dict[str, bool] = {}
        self.green: list[Candidate] = [Candidate()]

    def run(self, candidate: Candidate) -> None:
        assert candidate.key not in self.outcomes, "a candidate was tested twice"
        units = taken(self.members, candidate)
        assert units, "the base needs no run"
        passed = not any(combination <= units for combination in self.guilty)
        self.outcomes[candidate.key] = passed
        if passed:
            self.green.append(candidate)

    def settle(self, *refusals: Sequence[Refusal], already_spent: int = 3) -> Done:
        while True:
            step = next_step(self.members, self.outcomes, already_spent=already_spent, refusals=refusals)
            if isinstance(step, Done):
                return step
            self.run(step.candidate)


def search(members: Sequence[Member], *guilty: Unit | frozenset[Unit], already_spent: int = 3) -> Done:
    combinations = [g if isinstance(g, frozenset) else frozenset({g}) for g in guilty]
    return Suite(members, combinations).settle(already_spent=already_spent)


def bound(members: Sequence[Member], done: Done, already_spent: int = 3) -> int:
    sites = {m.id: len(set(m.sites)) for m in members}
    halvings = sum((sites[name] - 1).bit_length() for name in {s.improvement for s in done.splits})
    return len(members) + 4 - already_spent + halvings


def test_a_green_stack_takes_one_run() -> None:
    done = search([member("a", "x.py:1"), member("b", "y.py:1", "y.py:2")])
    assert (done.kept, done.smaller, done.refused, done.runs) == (("a", "b"), {}, {}, 1)


def test_an_empty_stack_takes_none() -> None:
    assert search([]).runs == 0


def test_a_guilty_member_of_one_site_is_refused_and_the_others_stay() -> None:
    stack = [member(name, f"{name}.py:1") for name in "abcdefgh"]
    done = search(stack, ("f", site("f.py", "1")))
    assert done.kept == ("a", "b", "c", "d", "e", "g", "h")
    assert done.refused == {"f": BROKE}
    assert done.runs == 1 + 3 + 1  # all, three halvings of eight, the rest at once


def test_a_member_without_sites_stands_or_falls_whole() -> None:
    done = search([member("a"), member("b")], ("b", None))
    assert (done.kept, done.refused) == (("a",), {"b": BROKE})


def test_of_a_guilty_member_only_the_guilty_site_is_left_out() -> None:
    stack = [member("a", "x.py:1"), member("b", "x.py:1", "x.py:2", "x.py:3", "y.py:1")]
    done = search(stack, ("b", site("x.py", "2")))
    assert done.kept == ("a",)
    assert done.smaller == {"b": (LeftOut(path="x.py", site=site("x.py", "2"), reason=BROKE),)}
    assert [g.improvement for g in done.guilty] == ["b"]


def test_a_file_left_out_with_all_its_sites_is_named_as_a_file() -> None:
    done = search([member("a", "x.py:1", "y.py:1", "y.py:2")], ("a", site("x.py", "1")))
    assert done.smaller == {"a": (LeftOut(path="x.py", site=None, reason=BROKE),)}


def test_equal_sites_are_one() -> None:
    done = search([member("a", "x.py:1", "x.py:1", "x.py:1")], ("a", site("x.py", "1")))
    assert (done.refused, done.splits) == ({"a": BROKE}, ())


def test_a_member_is_tried_by_file_before_it_is_tried_by_site() -> None:
    stack = [member("a", "x.py:1", "x.py:2", "y.py:1", "y.py:2")]
    done = search(stack, ("a", site("y.py", "1")))
    assert [(s.kind, s.parts) for s in done.splits] == [("file", 2), ("site", 4)]


def test_two_members_that_fail_only_together_lose_the_later_one() -> None:
    stack = [member("a", "x.py:1"), member("b", "y.py:1"), member("c", "z.py:1")]
    pair = frozenset({("a", site("x.py", "1")), ("c", site("z.py", "1"))})
    done = search(stack, pair)
    assert (done.kept, done.refused) == (("a", "b"), {"c": BROKE})


def test_what_the_runs_do_not_suffice_for_is_left_out_and_says_so() -> None:
    stack = [member("a", *(f"x.py:{n}" for n in range(8))), member("b", "y.py:1")]
    everything = [("a", one) for one in stack[0].sites] + [("b", site("y.py", "1"))]
    done = search(stack, *everything)
    assert done.candidate == Candidate()
    assert set(done.refused) == {"a", "b"}
    assert any(reason in done.refused["a"] for reason in (UNTESTED, UNSEARCHED))
    assert done.runs <= bound(stack, done)


def test_without_any_run_left_nothing_is_kept() -> None:
    stack = [member("a", "x.py:1")]
    done = search(stack, already_spent=5)
    assert (done.runs, done.refused) == (0, {"a": UNTESTED})


def test_a_member_with_many_guilty_sites_does_not_cost_the_others_their_place() -> None:
    stack = [member("a", *(f"x.py:{n}" for n in range(8))), member("b", "y.py:1"), member("c", "z.py:1")]
    done = search(stack, ("a", site("x.py", "0")), ("a", site("x.py", "7")))
    assert done.kept == ("b", "c")
    assert UNSEARCHED in done.refused["a"]


def test_when_no_run_is_left_after_a_refusal_an_earlier_green_part_is_kept() -> None:
    stack = [member("a", "x.py:1"), member("b", "y.py:1"), member("c", "z.py:1")]
    suite = Suite(stack, [frozenset({("c", site("z.py", "1"))})])
    done = suite.settle([Refusal("b", "no")], already_spent=4)
    assert (done.kept, done.refused) == (("a",), {"b": "no", "c": BROKE})


def test_a_tree_tested_before_costs_no_run() -> None:
    stack = [member("a", "x.py:1"), member("b", "y.py:1")]
    first = next_step(stack, {})
    assert isinstance(first, Test)
    key = first.candidate.key
    assert next_step(stack, {key: True}).runs == 1
    assert next_step(stack, {key: True}, free={key}).runs == 0


def test_a_gate_that_refuses_a_member_costs_one_more_run() -> None:
    stack = [member("a", "x.py:1"), member("b", "y.py:1", "z.py:1")]
    done = Suite(stack, []).settle([Refusal("a", "the public interface changes")])
    assert (done.kept, done.refused) == (("b",), {"a": "the public interface changes"})
    assert done.runs == 2


def test_a_gate_may_refuse_a_part() -> None:
    stack = [member("a", "x.py:1"), member("b", "y.py:1", "z.py:1")]
    part = LeftOut(path="z.py", reason="a secret")
    done = Suite(stack, []).settle([Refusal("b", "a secret", (part,))])
    assert done.smaller == {"b": (part,)}


def test_a_refused_part_that_matches_nothing_refuses_the_member() -> None:
    stack = [member("a", "x.py:1"), member("b", "y.py:1")]
    done = Suite(stack, []).settle([Refusal("b", "too large", (LeftOut(path="q.py", reason="?"),))])
    assert done.refused == {"b": "too large"}


@st.composite
def stacks(draw: st.DrawFn, most_members: int = 14, most_sites: int = 12) -> list[Member]:
    sizes = draw(st.lists(st.integers(0, most_sites), min_size=1, max_size=most_members))
    files = st.sampled_from(["x.py", "y.py", "z.py"])
    return [
        Member(f"m{i}", tuple(site(draw(files), str(n)) for n in range(size))) for i, size in enumerate(sizes)
    ]


def units(stack: Sequence[Member]) -> list[Unit]:
    return [(m.id, one) for m in stack for one in m.sites or (None,)]


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_what_is_kept_was_tested_green_and_no_run_is_spent_beyond_the_bound(data: st.DataObject) -> None:
    stack = data.draw(stacks())
    one = st.sampled_from(units(stack))
    guilty = data.draw(st.lists(st.frozensets(one, min_size=1, max_size=2), max_size=8))
    spent = data.draw(st.integers(0, 5))
    refusals = data.draw(
        st.lists(
            st.lists(st.builds(Refusal, st.sampled_from([m.id for m in stack]), st.just("no"))), max_size=2
        )
    )
    suite = Suite(stack, guilty)
    done = suite.settle(*refusals, already_spent=spent)
    assert done.candidate in suite.green
    assert len(suite.outcomes) == done.runs <= max(bound(stack, done, spent), 0)
    assert {*done.kept, *done.smaller, *done.refused} == {m.id for m in stack}
    assert not {r.improvement for batch in refusals for r in batch} & {*done.kept, *done.smaller}
    for guilt in done.guilty:
        assert suite.outcomes[guilt.red] is False


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_a_single_guilty_site_is_the_only_thing_lost(data: st.DataObject) -> None:
    stack = data.draw(stacks())
    guilty = data.draw(st.sampled_from(units(stack)))
    done = search(stack, guilty)
    assert taken(stack, done.candidate) == set(units(stack)) - {guilty}


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_in_a_handful_of_single_site_members_every_guilty_one_is_found(data: st.DataObject) -> None:
    stack = [member(f"m{i}", "x.py:1") for i in range(data.draw(st.integers(1, 5)))]
    guilty = data.draw(st.sets(st.sampled_from(units(stack))))
    done = search(stack, *guilty)
    assert taken(stack, done.candidate) == set(units(stack)) - guilty


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_two_guilty_sites_in_a_long_stack_are_the_only_things_lost(data: st.DataObject) -> None:
    stack = list(data.draw(stacks(26, 5))) + [member(f"n{i}", "x.py:1") for i in range(14)]
    guilty = data.draw(st.sets(st.sampled_from(units(stack)), min_size=2, max_size=2))
    done = search(stack, *guilty)
    assert taken(stack, done.candidate) == set(units(stack)) - guilty


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_search_cut_off_anywhere_takes_the_same_steps_again(data: st.DataObject) -> None:
    stack = data.draw(stacks(6, 6))
    guilty = data.draw(st.lists(st.frozensets(st.sampled_from(units(stack)), min_size=1, max_size=2)))
    suite = Suite(stack, guilty)
    asked: list[Test] = []
    while isinstance(step := next_step(stack, suite.outcomes), Test):
        asked.append(step)
        suite.run(step.candidate)
    keys = [test.candidate.key for test in asked]
    for n, test in enumerate(asked):
        assert next_step(stack, {key: suite.outcomes[key] for key in keys[:n]}) == test
        assert test.runs == n


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_even_a_suite_that_answers_at_random_ends_within_the_bound(data: st.DataObject) -> None:
    stack = data.draw(stacks())
    outcomes: dict[str, bool] = {}
    answer: Callable[[], bool] = lambda: data.draw(st.booleans())  # noqa: E731 -- one word for a draw
    while isinstance(step := next_step(stack, outcomes), Test):
        outcomes[step.candidate.key] = answer()
    assert step.runs == len(outcomes) <= bound(stack, step)
    assert not step.candidate.shares or outcomes[step.candidate.key]


@pytest.mark.parametrize("guilty", [0, 12, 24])
def test_a_stack_of_twenty_five_with_one_guilty_member_takes_at_most_seven_runs(guilty: int) -> None:
    stack = [member(f"m{i}", "x.py:1") for i in range(25)]
    assert search(stack, (f"m{guilty}", site("x.py", "1"))).runs <= 7
