"""The outcomes as pure functions: given facts, then what they count as."""

from collections.abc import Sequence

from events import improvement_facts
from events.memory import InMemoryEventStore
from projections.fold import fold
from projections.views.outcomes import OUTCOMES, Outcome, OutcomeRow
from tests import projection_facts as f
from tests.projection_facts import CYCLE, Clock, Told, tell

i = improvement_facts
ROLLED_BACK = i.ChangeRolledBack(deployment="dep-2", commit="1" * 40, tree="2" * 40, method="revert")
UNTIL_APPROVED = CYCLE[:21]


async def outcomes(story: Sequence[Told]) -> list[OutcomeRow]:
    store = InMemoryEventStore(Clock())
    await tell(store, story)
    folded = fold([event async for event in store.read_all()], {}, (OUTCOMES,))
    assert not folded.poisoned
    rows = folded.pending[0].rows.values()
    return [row for row in rows if isinstance(row, OutcomeRow)]


def imp(*facts: i.ImprovementFact) -> list[Told]:
    return [("improvement", "imp-1", fact) for fact in facts]


async def test_a_cycle_is_found_tested_and_landed() -> None:
    told = await outcomes(CYCLE)
    assert [(row.outcome, row.id, row.suite_runs) for row in told] == [
        (Outcome.SUITE_RUN, "toolz", 2),
        (Outcome.DISCOVERED, "imp-1", 0),
        (Outcome.SUITE_RUN, "batch-1", 1),
        (Outcome.LANDED, "imp-1", 0),
    ]
    assert {row.target for row in told} == {"toolz"}


async def test_lead_time_runs_from_discovery_to_landing() -> None:
    *_, found, _, landed = await outcomes(CYCLE)
    assert landed.lead_ms == round((landed.time - found.time).total_seconds() * 1000) > 0
    assert found.lead_ms is None


async def test_what_landed_in_part_is_told_apart() -> None:
    partly = f.deployed().model_copy(update={"partly": True})
    told = await outcomes([*CYCLE[:-1], *imp(partly)])
    assert (told[-1].outcome, told[-1].lead_ms is None) == (Outcome.PARTLY_LANDED, False)


async def test_a_landing_taken_back_began_to_be_restored_when_that_was_asked_for() -> None:
    told = await outcomes([*CYCLE, *imp(i.RollbackRequested(reason="slower"), ROLLED_BACK)])
    assert [row.outcome for row in told[-2:]] == [Outcome.BREACHED, Outcome.ROLLED_BACK]


async def test_what_never_stood_is_restored_and_not_rolled_back() -> None:
    failed = i.DeploymentFailed(deployment="dep-1", reason="unhealthy")
    told = await outcomes([*UNTIL_APPROVED, *imp(failed, ROLLED_BACK)])
    assert [row.outcome for row in told[-2:]] == [Outcome.FAILED, Outcome.RESTORED]


async def test_what_ends_otherwise_is_told_by_its_end() -> None:
    story = [*CYCLE[:16], *imp(f.refuted()), *imp(i.Abandoned(reason="nothing left"))]
    assert [row.outcome for row in (await outcomes(story))[-2:]] == [Outcome.REFUTED, Outcome.ABANDONED]
