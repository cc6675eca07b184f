"""The views as pure functions: given facts, then rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from events import budget
from events.catalogue import FACTS
from events.envelope import Envelope
from events.improvement_facts import Abandoned, Blocked, Retried
from events.lease import WorkReleased, WorkRenewed
from events.memory import InMemoryEventStore
from events.run import Failed, Reused
from events.store import Broken, Recorded
from projections.fold import Folded, Key, Standing, fold, restored
from projections.journal import chained, lines
from projections.step import View
from projections.table import as_json
from projections.views.catalogue import VIEWS
from projections.views.deployments import DeploymentState
from projections.views.improvement_board import IMPROVEMENT_BOARD
from projections.views.summary import SAYS, summary
from projections.views.task_board import TaskRow, TaskState
from schemas.engine import Billing, FailureKind
from schemas.improvement import Status
from tests import projection_facts as f
from tests.projection_facts import CYCLE, START, Clock, Told

IMPROVEMENT: Key = ("improvement", "imp-1")


async def recorded(story: Sequence[Told]) -> list[Recorded]:
    store = InMemoryEventStore(Clock())
    await f.tell(store, story)
    return [event async for event in store.read_all()]


def standing(found: list[Any]) -> list[Any]:
    return [row for row in found if row.valid_to_seq is None]


def imp(*facts: Any) -> list[Told]:
    return [("improvement", "imp-1", fact) for fact in facts]


def rows(folded: Folded, name: str) -> list[Any]:
    (pending,) = (pending for pending in folded.pending if pending.view.name == name)
    assert not pending.amended
    return list(pending.rows.values())


async def shown(story: Sequence[Told], name: str) -> list[Any]:
    folded = fold(await recorded(story), {}, VIEWS)
    assert not folded.poisoned
    return rows(folded, name)


async def test_a_discovered_improvement_stands_on_the_board_as_initialized() -> None:
    (row,) = await shown(imp(f.discovered(rank=4)), "improvement_board")
    assert (row.id, row.target, row.rank, row.rule, row.status) == (
        "imp-1",
        "toolz",
        4,
        "F401",
        Status.INITIALIZED,
    )
    assert (row.valid_from_seq, row.valid_to_seq, row.expected, row.files) == (1, None, 3, ("a.py", "b.py"))


async def test_each_fact_ends_a_row_where_the_next_begins() -> None:
    board = await shown(CYCLE, "improvement_board")
    assert [row.valid_to_seq for row in board[:-1]] == [row.valid_from_seq for row in board[1:]]
    assert board[-1].valid_to_seq is None
    assert board[-1].valid_from_seq == len(CYCLE)


async def test_a_landed_improvement_shows_commit_branch_and_count() -> None:
    row = (await shown(CYCLE, "improvement_board"))[-1]
    assert (row.status, row.risk, row.attempts) == (Status.DEPLOYMENT_COMPLETE, "low", 1)
    assert (row.commit, row.branch, row.fixed) == ("f" * 40, "aps/improved", 2)


async def test_a_refused_change_shows_the_reason_and_the_attempt() -> None:
    story = imp(f.discovered(), f.claimed(), f.specified(), f.claimed(), f.designed(), f.claimed())
    row = (await shown([*story, *imp(f.implemented(), f.refuted())], "improvement_board"))[-1]
    assert (row.status, row.reason, row.attempts) == (Status.ARCHITECTURE_COMPLETE, "test_a fails", 1)


async def test_blocked_work_is_seen_on_the_board() -> None:
    board = await shown(
        imp(f.discovered(), Blocked(reason="no tests", needs="a person")), "improvement_board"
    )
    assert board[-1].blocked == "no tests"


async def test_the_timeline_tells_what_happened_around_an_improvement() -> None:
    told = await shown(CYCLE, "timeline")
    assert {row.aggregate for row in told} == {"improvement", "run", "batch", "deployment"}
    assert [row.fact for row in told if row.aggregate == "run"] == ["requested", "started", "completed"]
    assert next(row for row in told if row.fact == "formed").improvements == ("imp-1", "imp-2")
    assert next(row for row in told if row.fact == "discovered").summary == (
        "found: Remove unused imports (3 findings, rank 1)"
    )
    assert [row.seq for row in told] == sorted(row.seq for row in told)


def test_every_fact_has_words_of_its_own() -> None:
    assert set(FACTS.values()) == set(SAYS)


def test_every_fact_of_a_cycle_reads_as_one_line() -> None:
    for _, _, fact in CYCLE:
        assert "\n" not in summary(fact)
        assert summary(fact)


async def test_a_claim_is_running_until_its_work_is_finished() -> None:
    (task,) = await shown(imp(f.discovered(), f.claimed()), "task_board")
    assert (task.token, task.agent, task.work, task.state) == (2, "pm-1", "requirements", TaskState.RUNNING)
    (task,) = standing(await shown(imp(f.discovered(), f.claimed(), f.specified()), "task_board"))
    assert (task.state, task.ended_by, task.ended_seq) == (
        TaskState.FINISHED,
        "requirements_specified",
        3,
    )


async def test_a_renewed_claim_has_the_later_end() -> None:
    later = START + timedelta(hours=1)
    before, task = await shown(
        imp(f.discovered(), f.claimed(), WorkRenewed(claim=2, lease_until=later)), "task_board"
    )
    assert (before.lease_until, before.valid_to_seq) == (f.claimed().lease_until, 3)
    assert (task.lease_until, task.state, task.claimed_seq) == (later, TaskState.RUNNING, 2)


async def test_a_released_claim_says_why() -> None:
    story = imp(f.discovered(), f.claimed(), WorkReleased(claim=2, reason="shutting down"))
    (task,) = standing(await shown(story, "task_board"))
    assert (task.state, task.reason) == (TaskState.RELEASED, "shutting down")


async def test_a_claim_taken_over_names_the_winner() -> None:
    story = imp(f.discovered(), f.claimed("pm-1"), f.claimed("pm-2"))
    lost, won = standing(await shown(story, "task_board"))
    assert (lost.claimed_seq, lost.ended_seq, won.claimed_seq) == (2, 3, 3)
    assert (lost.agent, lost.state, lost.ended_by) == ("pm-1", TaskState.TAKEN_OVER, "pm-2")
    assert (won.agent, won.state) == ("pm-2", TaskState.RUNNING)


async def test_a_retried_improvement_gives_its_claim_up() -> None:
    story = imp(f.discovered(), f.claimed(), Abandoned(reason="not wanted"), Retried(reason="again"))
    (task,) = standing(await shown(story, "task_board"))
    assert (task.state, task.ended_by, task.claimed_seq) == (TaskState.RELEASED, "retried", 2)


async def test_a_running_claim_expires_with_its_lease() -> None:
    task: TaskRow = (await shown(imp(f.discovered(), f.claimed(seconds=60)), "task_board"))[0]
    assert not task.expired(START + timedelta(seconds=59))
    assert task.expired(START + timedelta(seconds=60))


async def test_an_engine_call_is_counted_with_its_cost() -> None:
    (row,) = standing(await shown(CYCLE, "engine_usage"))
    assert (row.engine, row.role, row.improvement, row.outcome) == (
        "deterministic",
        "developer",
        "imp-1",
        "completed",
    )
    assert (row.duration_ms, row.tokens_in, row.tokens_out, row.cost_micros) == (120, 10, 5, 7)
    assert (row.day, row.attempt, row.instead_of, row.billing) == ("2026-03-01", 1, "", "free")


async def test_a_call_that_failed_at_a_price_is_counted_with_it() -> None:
    end = Failed(
        duration_ms=5,
        reason="busy",
        kind=FailureKind.OVERLOADED,
        tokens_in=3,
        cost_micros=9,
        billing=Billing.PRICE,
    )
    (row,) = standing(await shown([("run", "r1", f.run_requested()), ("run", "r1", end)], "engine_usage"))
    assert (row.kind, row.tokens_in, row.cost_micros, row.billing) == ("overloaded", 3, 9, "price")


async def test_a_budget_shows_what_is_left_of_it() -> None:
    until = f.START + timedelta(days=1)
    story = [
        ("budget", "day", budget.Opened(limit_micros=100, limit_runs=5, until=until)),
        ("budget", "day", budget.Reserved(run="r1", micros=60, lease_until=until)),
        ("budget", "day", budget.Reserved(run="r2", micros=10, lease_until=until)),
        ("budget", "day", budget.Committed(run="r1", micros=50, over_micros=0)),
        ("budget", "day", budget.Exhausted(asked_micros=60, reason="60 are asked for and 40 are left")),
    ]
    (row,) = standing(await shown(story, "budgets"))
    assert (row.limit_micros, row.committed_micros, row.reserved_micros, row.left_micros) == (100, 50, 10, 40)
    assert (row.limit_runs, row.runs, row.running) == (5, 1, 1)
    assert row.exhausted == "60 are asked for and 40 are left"


@pytest.mark.parametrize(
    ("end", "outcome", "reason"),
    [(Failed(duration_ms=5, reason="no answer"), "failed", "no answer"), (Reused(run="r0"), "reused", "r0")],
)
async def test_an_engine_call_says_how_it_ended(end: Any, outcome: str, reason: str) -> None:
    story = [("run", "r1", f.run_requested()), ("run", "r1", end)]
    (row,) = standing(await shown(story, "engine_usage"))
    assert (row.outcome, row.reason) == (outcome, reason)


async def test_a_target_shows_its_latest_scan_and_baseline() -> None:
    row = (await shown(CYCLE, "targets"))[-1]
    assert (row.title, row.scan, row.scan_state, row.findings) == ("toolz", "s1", "scanned", 7)
    assert row.findings_by_rule == {"F401": 3, "UP031": 4}
    assert (row.baseline_usable, row.baseline_passed, row.baseline_flaky) == (True, 192, ("test_x",))


async def test_a_deployment_begins_on_the_board_when_it_starts_though_it_was_claimed_before() -> None:
    board = await shown(CYCLE, "deployments")
    assert [row.state for row in board] == [
        DeploymentState.RUNNING,
        DeploymentState.RUNNING,
        DeploymentState.SUCCEEDED,
    ]
    assert board[-1].steps == ("apply",)


async def test_folding_in_any_portions_gives_the_same_rows() -> None:
    events = await recorded(CYCLE)
    whole = fold(events, {}, VIEWS)
    for cut in range(1, len(events)):
        first = fold(events[:cut], {}, VIEWS)
        second = fold(events[cut:], first.standings, VIEWS)
        for all_, begun, rest in zip(whole.pending, first.pending, second.pending, strict=True):
            merged = dict(begun.rows)
            for key, values in rest.amended.items():
                merged[key] = replace(merged[key], **values)
            assert merged | rest.rows == all_.rows


async def test_a_state_restored_from_the_journal_is_the_one_that_was_folded() -> None:
    events = await recorded(CYCLE)
    own = [event for event in events if event.envelope.subject == "improvement/imp-1"]
    assert restored(own) == fold(events, {}, VIEWS).standings[IMPROVEMENT]


async def test_an_unknown_fact_blocks_its_aggregate_and_no_other() -> None:
    events = relinked(await recorded([*imp(f.discovered(), f.claimed(), f.specified()), *other()]), at=1)
    folded = fold(events, {}, VIEWS)
    (poison,) = folded.poisoned
    assert (poison.seq, poison.id) == (2, "imp-1")
    assert "aps.improvement.reinvented.v1" in poison.reason
    assert {(row.id, row.valid_from_seq) for row in rows(folded, "improvement_board")} == {
        ("imp-1", 1),
        ("imp-2", 4),
    }
    assert folded.standings[IMPROVEMENT].version == 3


async def test_a_blocked_aggregate_is_restored_as_blocked() -> None:
    events = relinked(await recorded(imp(f.discovered(), f.claimed(), f.specified())), at=1)
    assert restored(events, poison=2) == fold(events, {}, VIEWS).standings[IMPROVEMENT]


async def test_a_fact_the_state_cannot_take_blocks_its_aggregate() -> None:
    events = await recorded([("target", "toolz", f.registered()), ("target", "toolz", f.scanned())])
    (poison,) = fold(events, {}, VIEWS).poisoned
    assert poison.reason.startswith("its aggregate as it stands, or a view, cannot take it, in ")


async def test_a_view_that_fails_leaves_nothing_of_the_event_in_any_view() -> None:
    def failing(step: Any) -> Any:
        raise ZeroDivisionError("a mistake in the view")

    broken = View(1, IMPROVEMENT_BOARD.table, failing)
    folded = fold(await recorded(imp(f.discovered())), {}, (*VIEWS[1:], broken))
    assert folded.poisoned[0].reason == "a mistake in the view"
    assert not any(pending.rows for pending in folded.pending)


async def test_an_event_that_does_not_link_breaks_the_fold() -> None:
    events = await recorded(imp(f.discovered(), f.claimed(), f.specified()))
    with pytest.raises(Broken, match="does not link"):
        fold([events[0], events[2]], {}, VIEWS)


async def test_an_altered_event_breaks_the_fold() -> None:
    (event,) = await recorded(imp(f.discovered()))
    altered = replace(event.envelope, actor="somebody else")
    with pytest.raises(Broken, match="was altered"):
        fold([replace(event, envelope=altered)], {}, VIEWS)


async def test_the_journal_chains_the_whole_log() -> None:
    events = await recorded(CYCLE)
    journal = lines(events, "0" * 64)
    assert journal[1].chain == chained(chained("0" * 64, events[0].envelope.hash), events[1].envelope.hash)
    assert [line.envelope.encode() for line in journal] == [event.envelope.encode() for event in events]


def test_text_that_postgresql_cannot_hold_is_replaced_and_nothing_else() -> None:
    assert as_json([{"a": "x\0y", "b": ["\\u0000"]}]) == '[{"a":"x\ufffdy","b":["\\\\u0000"]}]'


def other() -> list[Told]:
    return [("improvement", "imp-2", f.discovered(rank=2))]


def relinked(events: list[Recorded], at: int) -> list[Recorded]:
    """The same log, its event at an index of a type unknown here, all later ones linked to it."""
    made: list[Recorded] = []
    last: dict[str, Envelope] = {}
    for index, event in enumerate(events):
        kind = "aps.improvement.reinvented.v1" if index == at else event.envelope.type
        before = last.get(event.envelope.subject)
        prevhash = before.hash if before else Standing().hash
        envelope = replace(event.envelope, type=kind, prevhash=prevhash).sealed()
        last[envelope.subject] = envelope
        made.append(replace(event, envelope=envelope))
    return made
