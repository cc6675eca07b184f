"""What a fork begins with follows from the events up to its moment alone."""

from datetime import UTC, datetime

import pytest

from events.deployment import Failed, RolledBack, Started, StepCompleted, Succeeded
from events.envelope import Cause, envelop
from events.fact import Fact
from events.store import Recorded
from events.subjects import Address
from events.target import Registered, ScanRequested
from services.forking.moment import Moment

CAUSE = Cause(actor="test@host", source="aps/test", correlation="00000000-0000-4000-8000-000000000000")
BASE, TIP, NEXT = "a" * 40, "b" * 40, "c" * 40


def event(aggregate: str, id: str, fact: Fact, seq: int = 1) -> Recorded:
    address = Address(aggregate, id, fact.name)
    return Recorded(seq, envelop(fact, address, seq, "0" * 64, CAUSE, datetime(2026, 1, 1, tzinfo=UTC)))


def started(expected: str, tip: str, target: str = "t") -> Started:
    return Started(
        kind="deploy",
        target=target,
        scan="s",
        improvements=(),
        branch="aps/improved",
        expected=expected,
        tip=tip,
        tree="",
    )


def scanned(base: str, branch: str = "main") -> ScanRequested:
    return ScanRequested(
        scan="s",
        base=base,
        branch=branch,
        rules=(),
        engine="e",
        limit=0,
        dry_run=False,
        look_only=False,
    )


def moment(*deployment: Fact) -> Moment:
    found = Moment()
    found.add(event("target", "t", Registered(path="/src/t", title="t", origin="/src/t")))
    found.add(event("target", "t", scanned(BASE)))
    for fact in deployment:
        found.add(event("deployment", "d", fact))
    return found


def test_a_target_stands_at_its_last_scan_on_the_branch_it_had() -> None:
    found = moment()
    found.add(event("target", "t", scanned(NEXT, "trunk")))
    assert (found.targets["t"].path, found.targets["t"].bases) == ("/src/t", [BASE, NEXT])
    assert found.targets["t"].branch == "trunk"


STANDS = {
    "under way": ((started(TIP, NEXT),), TIP),
    "the first of all": ((started("", NEXT),), None),
    "moved": ((started(TIP, NEXT), StepCompleted(step="apply", detail="")), NEXT),
    "otherwise on its way": ((started(TIP, NEXT), StepCompleted(step="verify", detail="")), TIP),
    "done": ((started(TIP, NEXT), Succeeded(tip=NEXT, tree="")), NEXT),
    "failed": ((started(TIP, NEXT), Failed(reason="")), TIP),
    "restored": ((started(TIP, NEXT), Failed(reason=""), RolledBack(tip=TIP, tree="")), TIP),
    "removed again": ((started("", NEXT), RolledBack(tip="", tree="")), None),
}


@pytest.mark.parametrize("name", STANDS)
def test_the_release_branch_stands_where_the_last_deployment_left_it(name: str) -> None:
    facts, tip = STANDS[name]
    found = moment(*facts)
    assert (found.targets["t"].is_known, found.targets["t"].tip) == (True, tip)
    assert not found.has_open


def test_before_the_first_deployment_that_one_tells_where_it_stood() -> None:
    found = moment()
    assert found.has_open
    assert found.later(event("deployment", "other", started(NEXT, TIP, target="another")))
    assert not found.later(event("deployment", "d", started(TIP, NEXT)))
    assert found.targets["t"].tip == TIP


def test_a_deployment_after_the_moment_moves_nothing_that_is_known() -> None:
    found = moment(started("", TIP), Succeeded(tip=TIP, tree=""))
    found.later(event("deployment", "later", started(TIP, NEXT)))
    assert found.targets["t"].tip == TIP


def test_everything_an_event_names_counts_whatever_its_kind() -> None:
    found = Moment()
    digest = "d" * 64
    body = f'{{"deep":[{{"sha256":"{digest}","size":1}}],"commit":"{BASE}","hash":"{"e" * 64}"}}'
    found.name(body.encode())
    assert (found.commits, found.artefacts) == ({BASE}, {digest})
