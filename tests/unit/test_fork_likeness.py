"""Two cycles are the same when nothing but ids and times differs, and else it is said where they differ."""

from typing import Any

import pytest

from services.forking.likeness import Told, Unlike, alike
from services.forking.weighing import lines_of

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
ID = "do-it-1"


def event(seq: int, fact: str, aggregate: str = "improvement", id: str = ID, **data: Any) -> Told:
    return Told(seq, aggregate, id, fact, "qa", data)


def requested(seq: int, id: str, task: str = "change") -> Told:
    return event(seq, "requested", "run", id, improvement=ID, role="developer", task=task)


def content(text: str, name: str = "a.txt") -> dict[str, Any]:
    return {"name": name, "media_type": "text/plain", "sealed_for": None, "content": text}


def unlike(one: list[Told], other: list[Told]) -> list[tuple[str, str, str]]:
    return [(each.field, each.original, each.rerun) for each in alike(one, other).unlike]


def test_times_and_leases_do_not_count() -> None:
    one = [
        event(1, "work_claimed", lease_until="2026-01-01T00:00:00Z"),
        event(
            2, "tested", suite_ms=5, claim=1, reason="7 tests in 0.31 s", report=content('"duration_ms":5')
        ),
    ]
    other = [
        event(9, "tested", suite_ms=7, claim=4, reason="7 tests in 2 s", report=content('"duration_ms":77'))
    ]
    assert alike(one, other).equal
    assert alike(one, other).compared == 1


def test_that_work_waited_for_a_budget_does_not_count_and_that_it_waits_for_a_person_does() -> None:
    waited = [event(1, "blocked", budget="day-2026-01-01"), event(2, "unblocked", reason="there is room")]
    assert alike(waited, []).equal
    assert not alike([event(1, "blocked", budget="", needs="a person")], []).equal


def test_a_commit_may_stand_for_another_if_it_does_so_everywhere() -> None:
    one = [event(1, "x", commit=A, parent=B), event(2, "y", tip=A, note=f"stands at {A}")]
    assert alike(one, [event(1, "x", commit=C, parent=D), event(2, "y", tip=C, note=f"stands at {C}")]).equal
    wrong = [event(1, "x", commit=C, parent=D), event(2, "y", tip=D, note=f"stands at {C}")]
    assert unlike(one, wrong) == [("tip", A, D)]


def test_a_tree_stands_for_itself_alone() -> None:
    assert unlike([event(1, "x", tree=A)], [event(1, "x", tree=B)]) == [("tree", A, B)]


def test_runs_go_by_which_one_of_their_task_they_are() -> None:
    one = [requested(1, "change-aaaa-1"), requested(2, "change-bbbb-1"), event(3, "x", run="change-bbbb-1")]
    two = [requested(1, "change-cccc-1"), requested(2, "change-dddd-1"), event(3, "x", run="change-dddd-1")]
    assert alike(one, two).equal
    swapped = [*two[:2], event(3, "x", run="change-cccc-1")]
    assert [each[0] for each in unlike(one, swapped)] == ["run"]


def test_of_accounts_only_what_was_done_for_a_run_of_the_cycle_counts() -> None:
    day = [
        requested(1, "change-aaaa-1"),
        event(2, "opened", "budget", "day-2026-01-01", limit_micros=5),
        event(3, "reserved", "budget", "day-2026-01-01", run="another", micros=3),
        event(4, "reserved", "budget", "day-2026-01-01", run="change-aaaa-1", micros=4),
    ]
    next_day = [
        requested(1, "change-cccc-1"),
        event(4, "reserved", "budget", "day-2026-01-02", run="change-cccc-1", micros=4),
    ]
    assert alike(day, next_day).equal
    dearer = [next_day[0], event(4, "reserved", "budget", "day-2026-01-02", run="change-cccc-1", micros=9)]
    assert unlike(day, dearer) == [("micros", "4", "9")]


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        ({"reason": "it passed"}, {"reason": "it failed"}, "reason"),
        ({"passed": 7}, {"passed": 8}, "passed"),
        ({"files": ["a.py"]}, {"files": ["a.py", "b.py"]}, "files"),
        ({"gates": [{"gate": "x", "ok": True}]}, {"gates": [{"gate": "x", "ok": False}]}, "gates.0.ok"),
        ({"report": content("one\ntwo")}, {"report": content("one\nthree")}, "report.content"),
        ({"report": content("x", "a")}, {"report": content("x", "b")}, "report.name"),
        ({"risk": "low"}, {}, "risk"),
    ],
)
def test_anything_else_that_differs_is_named(one: Any, other: Any, field: str) -> None:
    assert [each[0] for each in unlike([event(1, "x", **one)], [event(1, "x", **other)])] == [field]


def test_of_long_content_the_line_that_differs_is_shown() -> None:
    one, other = ([event(1, "x", report=content(f"same\n{word}\nsame"))] for word in ("passed", "failed"))
    assert unlike(one, other) == [("report.content", "passed", "failed")]


def test_a_missing_event_ends_the_comparison_of_its_aggregate() -> None:
    one = [event(1, "x"), event(2, "y"), event(3, "z"), event(4, "abandoned", id="other")]
    other = [event(1, "x"), event(2, "z"), event(4, "abandoned", id="other")]
    found = alike(one, other)
    assert found.unlike == (Unlike(where=f"improvement {ID}", fact="y", field="", original="y", rerun="z"),)
    assert found.compared == 3


def test_what_follows_the_end_of_the_work_may_stand_on_one_side_alone() -> None:
    one = [event(1, "tested", "batch", "b1"), event(2, "abandoned")]
    closed = [*one, event(3, "closed", "batch", "b1")]
    found = alike(one, closed)
    assert (found.equal, found.left_out) == (True, ("batch b1: closed (rerun)",))
    before_the_end = [one[0], event(2, "closed", "batch", "b1"), event(3, "abandoned")]
    assert not alike(one, before_the_end).equal


def test_what_a_health_command_said_is_left_out_and_that_is_told() -> None:
    began, ended = event(1, "started", "deployment", "d-1"), event(3, "succeeded", "deployment", "d-1")
    found = alike([began, event(2, "health_checked", "deployment", "d-1"), ended], [began, ended])
    assert (found.equal, found.left_out) == (True, ("deployment 1: health_checked (original)",))


def test_who_recorded_it_counts_and_which_copy_did_does_not() -> None:
    by_pm = Told(1, "improvement", ID, "x", "pm", {"note": "held by qa@host-12"})
    by_qa = Told(1, "improvement", ID, "x", "qa", {"note": "held by qa@other-9"})
    assert unlike([by_pm], [by_qa]) == [("by", "pm", "qa")]


def test_lines_are_counted_in_hunks_alone() -> None:
    patch = b"""diff --git a/q.sql b/q.sql
--- a/q.sql
+++ b/q.sql
@@ -1,2 +1,2 @@
 select 1
--- a comment that goes
+++ a line that begins so
+another
"""
    assert lines_of(patch + patch) == (4, 2)
