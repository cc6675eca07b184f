"""Any landed change can be taken back, from the middle too; all of them taken back give the base."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from events.catalogue import read_fact
from events.envelope import Cause
from events.improvement import IMPROVEMENT
from events.improvement_facts import RollbackRequested
from events.memory import InMemoryEventStore
from events.store import Batch, Recorded
from events.target import TARGET
from schemas.improvement import Status
from services.deployer.taking_back import REBUILT, REVERTED, take_back
from services.engines.deterministic.finding import find
from services.engines.deterministic.rules import RuleSet
from services.runtime.ground import stand
from services.runtime.log import Log
from services.runtime.role import workbench
from services.runtime.settings import load
from tests.acceptance.command import Ended, aps, improve
from tests.acceptance.conftest import Repositories
from tests.acceptance.targets import BRANCH, fingerprint, git, subjects, tree

pytestmark = pytest.mark.slow

REF = f"refs/heads/{BRANCH}"
PERSON = Cause(actor="cli@test", source="aps/cli", correlation="00000000-0000-0000-0000-00000000000c")


@dataclass
class Then:
    """The time of what is told again, so that commits made again carry their dates."""

    now: datetime = field(default_factory=lambda: datetime.fromisoformat("2026-01-01T00:00:00+00:00"))

    def __call__(self) -> datetime:
        return self.now


async def copy_of(book: Log, events: list[Recorded]) -> Log:
    """Return the same log in memory, to try on it what must not happen to the real one."""
    clock = Then()
    copy = Log(InMemoryEventStore(clock), book.artefacts, clock)
    for event in events:
        envelope, at = event.envelope, event.envelope.address
        clock.now = envelope.at
        cause = Cause(envelope.actor, envelope.source, envelope.correlationid, envelope.causationid)
        position = await copy.store.position(at.aggregate, at.id)
        await copy.store.append_many([Batch(at.aggregate, at.id, position, (read_fact(envelope),))], cause)
    return copy


@dataclass(frozen=True)
class Taken:
    """One improvement taken back from the full branch."""

    rule: str
    method: str
    subjects: tuple[str, ...]


def written_by(root: Path, commit: str) -> set[str]:
    """Return the lines a commit wrote that still stand on the branch.

    A finding need not come back: where two rules rewrite one expression, the other one's fix now reaches it.
    """
    patch = git(root, "show", "--format=", "-U0", commit).splitlines()
    written = {line[1:].strip() for line in patch if line.startswith("+") and not line.startswith("+++")}
    changed = git(root, "show", "--format=", "--name-only", commit).split()
    standing = "\n".join(git(root, "show", f"{BRANCH}:{path}") for path in changed)
    return {line for line in written if line} & {line.strip() for line in standing.splitlines()}


async def each_taken_back(home: Path, root: Path, cycle: Ended) -> list[Taken]:
    """Take back each landed improvement in turn, always from the full branch."""
    full = git(root, "rev-parse", BRANCH)
    target, base = cycle.outcome["target_id"], cycle.outcome["base"]
    taken = []
    settings = load({"APS_HOME": str(home)})
    async with stand(settings) as ground, ground.log("deployer") as (_, book):
        events = [event async for event in book.store.read_all()]
        for one in [i for i in cycle.outcome["improvements"] if i["commit"]]:
            git(root, "update-ref", REF, full)
            copy = await copy_of(book, events)
            asked = RollbackRequested(reason="tried on a copy")
            await copy.record(IMPROVEMENT, one["id"], asked, cause=PERSON)
            bench = await workbench("deployer", settings, copy)
            await take_back(bench, target, copy.clock(), PERSON)
            state = await copy.state(IMPROVEMENT, one["id"])
            assert state.status is Status.ROLLED_BACK, f"{one['rule']}: {state.reason}"
            assert state.rolled_back is not None
            assert state.rolled_back.tree == tree(root)
            repository = bench.workspace.repository(target)
            packages = tuple(cycle.outcome["scope"])
            select = (await copy.state(TARGET, target)).scans[cycle.outcome["scan"]].requested.rules
            async with bench.worktree(target, "look", git(root, "rev-parse", BRANCH)) as there:
                left = await find(there, packages, RuleSet(select=select))
            back = any(finding.rule == one["rule"] for finding in left.findings)
            assert back or not written_by(root, one["commit"]), f"{one['rule']} is still there"
            report = await bench.prover.run(repository, "proof", base, git(root, "rev-parse", BRANCH))
            assert (report.passed, report.failed) == tuple(cycle.outcome["tests_after"].values())
            taken.append(Taken(one["rule"], state.rolled_back.method, tuple(subjects(root, base))))
    git(root, "update-ref", REF, full)
    return taken


def all_taken_back(home: Path, cycle: Ended) -> Ended:
    """Take everything back that landed."""
    target = cycle.outcome["target_id"]
    return aps(home, "improvements", "rollback", "--all", "--target", target, "--json", APS_LEASE_SECONDS="5")


async def test_each_change_is_taken_back_from_the_full_branch_and_then_all(
    home: Path, target: Repositories
) -> None:
    root = target()
    cycle = improve(home, root)
    before, landed = fingerprint(root), subjects(root)
    taken = await each_taken_back(home, root, cycle)
    assert len(taken) == len(landed) >= 8
    assert {one.method for one in taken} == {REVERTED, REBUILT}
    for one in taken:
        assert one.subjects[:-1] == tuple(landed)
        assert one.subjects[-1].startswith("Take back: ")
    ended = all_taken_back(home, cycle)
    assert ended.code == 0, ended.err
    assert tree(root) == tree(root, "main")
    assert fingerprint(root) == before


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_each_change_of_a_real_project_is_taken_back(home: Path) -> None:
    cycle = improve(home, Path("sdist:toolz==1.2.0"))
    root, base = Path(cycle.outcome["target"]), cycle.outcome["base"]
    landed = subjects(root, base)
    taken = await each_taken_back(home, root, cycle)
    assert len(taken) == len(landed) >= 20
    assert {one.method for one in taken} == {REVERTED, REBUILT}
    ended = all_taken_back(home, cycle)
    assert ended.code == 0, ended.err
    assert tree(root) == tree(root, base)
