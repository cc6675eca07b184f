"""Progress names the first phase that something still waits for, and time left only where it is known."""

from dataclasses import replace

import pytest

from events import batch as batches
from events.improvement import IMPROVEMENT
from events.improvement_facts import DRY_RUN, Blocked
from events.target import TARGET
from schemas.artefacts import ArtefactRef
from services.cycle.progress import CyclePhase, Progress, progress_at, progress_of
from services.cycle.settling import settled, states_of
from tests import cycle_example as example
from tests.cycle_example import BAD, GOOD, HELD, PART, SCAN, Recorder, T

P = CyclePhase


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


async def now(r: Recorder) -> Progress:
    return await progress_at(r.book, T, SCAN)


def a_run(ref: ArtefactRef, tree: str, *, original: bool, passed: bool, members: int) -> batches.Tested:
    return batches.Tested(
        claim=1,
        tree=tree,
        original_tests=original,
        coverage=False,
        passed=passed,
        reason="",
        members=members,
        suite_ms=1,
        report=ref,
    )


async def with_runs(r: Recorder, *runs: tuple[bool, bool], members: tuple[int, ...] = ()) -> Progress:
    """Progress while a batch is tried: runs as (with the original tests, passed), on so many members each."""
    ref = await r.keep("x")
    counts = members or (4,) * len(runs)
    done = {
        (str(n), original): a_run(ref, str(n), original=original, passed=passed, members=counts[n])
        for n, (original, passed) in enumerate(runs)
    }
    formed = batches.Formed(target=T, scan=SCAN, base="b", members=(GOOD, PART, BAD, HELD))
    target = await r.book.state(TARGET, T)
    scan = target.scans[SCAN]
    states = await states_of(r.book, scan)
    return progress_of(target, scan, states, [batches.Batch(formed=formed, runs=done)])


async def test_each_phase_is_shown_until_its_last_fact_is_there(recorder: Recorder) -> None:
    await example.scanned(recorder)
    assert (await now(recorder)).phase is P.BASELINE
    await example.baseline(recorder)
    assert (await now(recorder)).phase is P.REQUIREMENTS
    await example.specified(recorder, GOOD)
    part = await now(recorder)
    assert (part.phase, part.done, part.total) == (P.REQUIREMENTS, 1, 4)
    for id in (PART, BAD, HELD):
        await example.specified(recorder, id)
    assert (await now(recorder)).phase is P.DESIGN
    for id in (GOOD, PART, BAD, HELD):
        await example.designed(recorder, id)
    assert (await now(recorder)).phase is P.IMPLEMENTATION
    for id in (GOOD, PART, BAD, HELD):
        await example.written(recorder, id)
    assert (await now(recorder)).phase is P.TRIAL


async def test_a_finished_cycle_is_done_and_says_what_waits(recorder: Recorder) -> None:
    await example.whole(recorder)
    done = await now(recorder)
    assert (done.phase, done.note, done.left_ms) == (P.DONE, "2 landed, 1 waiting", None)


async def test_what_a_dry_run_proved_rests_but_not_in_a_run_that_may_land(
    recorder: Recorder,
) -> None:
    await example.whole(recorder)
    target = await recorder.book.state(TARGET, T)
    scan = target.scans[SCAN]
    dry = replace(scan, requested=scan.requested.model_copy(update={"dry_run": True}))
    held = (await states_of(recorder.book, scan))[HELD]
    proven = {HELD: replace(held, blocked=Blocked(reason=DRY_RUN, needs="a run without --dry-run"))}
    assert settled(target, dry, proven)
    assert not settled(target, scan, proven)
    assert settled(target, scan, {HELD: held}), "it waits for a person"


async def test_what_is_proven_is_on_its_way_to_the_branch(recorder: Recorder) -> None:
    await example.proven(recorder)
    landing = await now(recorder)
    assert (landing.phase, landing.done, landing.total) == (P.DEPLOYMENT, 0, 3)


async def test_what_landed_is_measured_before_the_cycle_is_done(recorder: Recorder) -> None:
    await example.proven(recorder)
    await example.landed(recorder, "d1", GOOD, PART, HELD)
    measuring = await now(recorder)
    assert (measuring.phase, measuring.done, measuring.total) == (P.MEASURING, 0, 3)


async def test_the_first_run_is_estimated_by_the_suite_before_any_change(recorder: Recorder) -> None:
    await example.implemented(recorder)
    first = await with_runs(recorder)
    assert (first.phase, first.left_ms, first.suite_runs) == (P.TRIAL, 900, 3)
    assert first.note == "suite run 4, for 4 changes"


async def test_coverage_counts_in_the_estimate_where_it_is_measured(recorder: Recorder) -> None:
    await example.implemented(recorder, coverage=True, coverage_ms=1500)
    assert (await with_runs(recorder)).left_ms == 1500


async def test_a_suite_that_is_slow_under_coverage_runs_plainly_first(recorder: Recorder) -> None:
    await example.implemented(recorder, coverage=True, coverage_ms=5000)
    assert (await with_runs(recorder)).left_ms == 5900
    assert (await with_runs(recorder, (False, True))).left_ms == 5000


async def test_a_search_has_no_estimate(recorder: Recorder) -> None:
    await example.implemented(recorder, coverage=True, coverage_ms=1500)
    search = await with_runs(recorder, (False, False), (False, True))
    assert search.left_ms is None
    assert search.suite_runs == 5
    assert search.note == "suite run 6; before it 4 of 4 changes passed"


async def test_a_run_on_a_part_of_the_changes_is_told_as_such(recorder: Recorder) -> None:
    await example.implemented(recorder)
    part = await with_runs(recorder, (False, False), (False, False), members=(4, 2))
    assert part.note == "suite run 6; before it 2 of 4 changes failed"


async def test_runs_of_every_batch_are_counted(recorder: Recorder) -> None:
    await example.proven(recorder)
    ref = await recorder.keep("x")
    run = a_run(ref, "again", original=False, passed=True, members=1)
    again = batches.Batch(
        formed=batches.Formed(target=T, scan=SCAN, base="b", members=(PART,)), runs={("again", False): run}
    )
    first = await recorder.book.state(batches.BATCH, example.B)
    target = await recorder.book.state(TARGET, T)
    scan = target.scans[SCAN]
    states = await states_of(recorder.book, scan)
    assert progress_of(target, scan, states, [first, again]).suite_runs == 3 + 3 + 1


async def test_a_suite_that_proves_nothing_is_not_waited_for(recorder: Recorder) -> None:
    await example.implemented(recorder, usable=False, reason="it has no test")
    assert (await with_runs(recorder)).left_ms is None


async def test_changes_written_again_are_verdicts_still_to_come(recorder: Recorder) -> None:
    await example.implemented(recorder)
    await example.settled(recorder)
    again = await now(recorder)
    assert (again.phase, again.done, again.total) == (P.VERDICTS, 3, 4)
    assert again.note == "1 of the changes are written again without what did harm"
    assert (await recorder.book.state(IMPROVEMENT, PART)).refusals
