"""How two worlds differ since they parted."""

from datetime import UTC, datetime, timedelta

from events import batch
from events.envelope import Cause, envelop
from events.fact import Fact
from events.store import Recorded
from events.subjects import Address
from events.target import Paused
from projections.views.improvement_board import ImprovementRow
from schemas.artefacts import ArtefactRef
from schemas.improvement import Status
from services.forking.comparing import Since, compared, course

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(actor="test@host", source="aps/test", correlation="00000000-0000-4000-8000-000000000000")


def event(aggregate: str, fact: Fact, seconds: int) -> Recorded:
    at = BEGAN + timedelta(seconds=seconds)
    return Recorded(1, envelop(fact, Address(aggregate, "x", fact.name), 1, "0" * 64, CAUSE, at))


def row(id: str, status: Status, commit: str = "", fixed: int = 0) -> ImprovementRow:
    return ImprovementRow(
        id=id,
        target="t",
        scan="s",
        base="",
        rank=1,
        source="",
        rule="",
        title=f"do {id}",
        status=status,
        risk="",
        reason="",
        attempts=0,
        commit=commit,
        branch="",
        fixed=fixed,
        expected=0,
        left_out=0,
        files=(),
        blocked="",
        blocked_since=None,
        escalated="",
        blockers=(),
        version=1,
        discovered_at=BEGAN,
        updated_at=BEGAN,
        valid_from_seq=1,
        valid_to_seq=None,
    )


def suite_run() -> batch.Tested:
    return batch.Tested(
        claim=1,
        tree="",
        original_tests=False,
        coverage=False,
        passed=True,
        members=1,
        reason="",
        suite_ms=1,
        report=ArtefactRef(sha256="a" * 64, size=1, media_type="text/plain", name="r"),
    )


def test_suite_runs_and_time_are_those_after_the_parting() -> None:
    since = Since()
    for second in (30, 10, 40):
        since.add(event("batch", suite_run(), second))
    since.add(event("target", Paused(reason="x"), 45))
    assert (since.events, since.suite_runs, since.seconds) == (4, 3, 35)


def test_a_world_in_which_nothing_happened_took_no_time() -> None:
    assert (Since().events, Since().seconds) == (0, 0)


def test_findings_count_where_their_change_landed() -> None:
    rows = [
        row("a", Status.DEPLOYMENT_COMPLETE, fixed=3),
        row("b", Status.PARTLY_LANDED, fixed=2),
        row("c", Status.TESTING_COMPLETE, fixed=9),
    ]
    found = course("one", Since(), rows)
    assert (found.landed, found.fixed, found.improvements) == (2, 5, 3)
    assert found.statuses == {"deployment_complete": 1, "partly_landed": 1, "testing_complete": 1}


def test_what_stands_otherwise_is_told_and_what_stands_alike_is_counted() -> None:
    one = [row("same", Status.DECLINED), row("moved", Status.APPROVED, "c1"), row("gone", Status.INITIALIZED)]
    two = [row("same", Status.DECLINED), row("moved", Status.APPROVED, "c2"), row("new", Status.ABANDONED)]
    courses = (course("one", Since(), one), course("two", Since(), two))
    found = compared(7, courses, (one, two))
    assert (found.seq, found.equal) == (7, 1)
    assert {d.id: (d.statuses, d.commits) for d in found.differing} == {
        "gone": (("initialized", ""), ("", "")),
        "moved": (("approved", "approved"), ("c1", "c2")),
        "new": (("", "abandoned"), ("", "")),
    }
