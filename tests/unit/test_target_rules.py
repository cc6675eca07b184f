"""A target is registered once; each of its scans is done once and has one baseline."""

import pytest

from events.target import TARGET, Paused, Resumed, ScanFailed
from tests import projection_facts as f
from tests.rules import Waited, of

target = of(TARGET)
asked = target.given(f.registered(), f.scan_requested())
scanning = asked.given(f.claimed("pm-1", "scan"))
scanned = scanning.given(f.scanned(3))
measured = scanned.given(f.claimed("qa-1", "baseline"), f.baseline(5))


def test_a_target_is_registered_once() -> None:
    target.given(f.registered()).when(f.registered()).then_rejected("registered already, at /srv/toolz")


def test_nothing_is_scanned_that_is_not_registered() -> None:
    target.when(f.scan_requested()).then_rejected("not registered")


def test_a_scan_is_asked_for_once() -> None:
    asked.when(f.scan_requested()).then_rejected("s1 was asked for already")


def test_scans_are_numbered_as_they_are_asked_for() -> None:
    two = asked.given(f.scan_requested("s2")).state
    assert [(scan.id, scan.number) for scan in two.scans.values()] == [("s1", 1), ("s2", 2)]
    assert two.latest.id == "s2"


def test_only_the_holder_finishes_a_scan_and_once() -> None:
    asked.when(f.scanned(3)).then_rejected("held by nobody")
    scanning.given(Waited(60)).when(f.scanned(3)).then_rejected("ran out")
    again = scanned.given(f.claimed("pm-2", "scan"))
    again.when(f.scanned(5)).then_rejected("s1 is done already")
    again.when(ScanFailed(scan="s1", claim=5, reason="?")).then_rejected("s1 is done already")


def test_a_scan_nobody_asked_for_is_not_done() -> None:
    scanning.when(f.scanned(3).model_copy(update={"scan": "s9"})).then_rejected("nobody asked for")


def test_a_failed_scan_is_over_and_the_work_is_free() -> None:
    failed = scanning.when(ScanFailed(scan="s1", claim=3, reason="no source")).then(claim=None)
    assert failed.state.scans["s1"].failed.reason == "no source"


def test_a_scan_has_one_baseline() -> None:
    again = measured.given(f.claimed("qa-2", "baseline"))
    again.when(f.baseline(7)).then_rejected("has its baseline already")


def test_a_baseline_serves_every_scan_of_the_same_commit() -> None:
    assert measured.given(f.scan_requested("s2")).state.baseline_at("b" * 40) == f.baseline(5)
    assert measured.state.baseline_at("c" * 40) is None


def test_a_paused_target_takes_no_new_scan_until_it_is_resumed() -> None:
    paused = target.given(f.registered(), Paused(reason="release week"))
    paused.when(f.scan_requested()).then_rejected("paused; resume it first")
    paused.when(Paused(reason="?")).then_rejected("paused already")
    paused.given(Resumed()).when(f.scan_requested()).then(paused=False)
    asked.when(Resumed()).then_rejected("running already")


def test_what_is_under_way_is_finished_while_paused() -> None:
    scanning.given(Paused(reason="release week")).when(f.scanned(3)).then(claim=None)


@pytest.mark.parametrize("length", range(len(measured.told) + 1))
def test_replay_after_json_gives_the_same_state(length: int) -> None:
    story = target.given(*(fact for fact, _ in measured.told[:length]))
    assert story.replayed() == story.state
