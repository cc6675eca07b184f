"""What came of one cycle, as one object: `aps improve --json`.

Rules
1. Every figure comes from the log, and is the same whoever asks and whenever.
2. `head` is the tip of the release branch once something landed, else the base; a change that did not
   land has no commit, since the target has none.
3. What was taken back after it was measured counts as it did before the change.
4. `suite_runs`, `seconds` and `events` count what was done for this cycle, not what a person asked for later.
"""

from collections.abc import Mapping

from pydantic import TypeAdapter

from events.batch import Split, Tested
from events.deployment import RolledBack, Succeeded
from events.improvement import IMPROVEMENT, LANDED, Improvement
from events.improvement_facts import BenefitMeasured, ChangeDeployed, ChangeRolledBack
from events.target import TARGET, BaselineRecorded
from schemas.base import Frozen
from schemas.improvement import Status
from schemas.suite import Outcome as Ran
from schemas.suite import SuiteReport
from services.changes.release import BRANCH
from services.cycle.chronicle import Chronicle, chronicle_of
from services.cycle.notes import notes_of
from services.cycle.settling import states_of
from services.runtime.log import Log
from services.workspace.checkout import Workspace

COUNTS = TypeAdapter(dict[str, int])
States = Mapping[str, Improvement]


class SuiteCounts(Frozen):
    """Tests that passed and failed."""

    passed: int
    failed: int


class Result(Frozen):
    """What became of one improvement. `commit` is None unless it came onto the release branch."""

    id: str
    title: str
    source: str
    rule: str
    status: str
    commit: str | None
    reason: str
    files: tuple[str, ...]


class RuleCounts(Frozen):
    """Findings of one rule before the cycle and after it."""

    before: int
    after: int


class Waiting(Frozen):
    """An improvement that goes on only when `needs` is met."""

    id: str
    needs: str


class Halving(Frozen):
    """An improvement that broke the suite and was tried again in `parts` of a kind (file or site)."""

    improvement: str
    kind: str
    parts: int
    reason: str


class Outcome(Frozen):
    """One cycle. `target` can be cloned; `scope` names the import packages the findings are counted in.

    `failure` is why the target could not be searched; empty when it was. `failing` names the tests that
    failed before any change. `origin`, `limit` and `rules` are as they were asked for; `remembered` says by
    rule why it was not proposed again. `nothing_new` when no improvement was found or went on.
    """

    target: str
    base: str
    head: str
    branch: str
    scope: tuple[str, ...]
    engine: str
    findings_before: int
    findings_after: int
    tests_before: SuiteCounts
    tests_after: SuiteCounts
    suite_runs: int
    seconds: int
    events: int
    improvements: tuple[Result, ...]
    scan: str
    target_id: str
    title: str
    notes: tuple[str, ...]
    waiting: tuple[Waiting, ...]
    dry_run: bool
    look_only: bool
    failure: str
    splits: tuple[Halving, ...]
    failing: tuple[str, ...]
    origin: str
    limit: int
    rules: tuple[str, ...]
    remembered: dict[str, str]
    nothing_new: bool
    findings: dict[str, RuleCounts]

    @property
    def landed(self) -> tuple[Result, ...]:
        """The improvements that stand on the release branch."""
        return tuple(one for one in self.improvements if one.status in LANDED)


async def outcome_of(book: Log, workspace: Workspace, target_id: str, scan_id: str) -> Outcome:
    """Gather what came of a scan. Raises `UnknownScan` (a LookupError) when the target has no such scan."""
    chronicle = await chronicle_of(book, target_id, scan_id)
    target = await book.state(TARGET, target_id)
    assert target.registered is not None  # noqa: S101 -- only a registered target has scans
    scan = target.scans[scan_id]
    states = await states_of(book, scan)
    baseline = target.baseline_at(scan.requested.base)
    before = dict(scan.done.findings) if scan.done else {}
    after = await _findings_after(book, chronicle, states, before)
    failing = await _failing(book, baseline)
    tests = SuiteCounts(passed=baseline.passed, failed=baseline.failed) if baseline else NO_TESTS
    return Outcome(
        target=str(workspace.path(target.registered.path)),
        base=scan.requested.base,
        head=head_of(chronicle, scan.requested.base),
        branch=BRANCH,
        scope=scan.done.packages if scan.done else (),
        engine=scan.requested.engine,
        findings_before=sum(before.values()),
        findings_after=sum(after.values()),
        tests_before=tests,
        tests_after=await _tests_after(book, chronicle, states) or tests,
        suite_runs=suite_runs(chronicle),
        seconds=seconds(chronicle, scan_id),
        events=len(chronicle.own),
        improvements=tuple(result(id, state) for id, state in states.items()),
        scan=scan_id,
        target_id=target_id,
        title=target.registered.title,
        notes=notes_of(target, scan, failing),
        waiting=tuple(Waiting(id=id, needs=s.blocked.needs) for id, s in states.items() if s.blocked),
        dry_run=scan.requested.dry_run,
        look_only=scan.requested.look_only,
        failure=scan.failed.reason if scan.failed else "",
        splits=_splits(chronicle),
        failing=failing,
        origin=target.registered.origin,
        limit=scan.requested.limit,
        rules=scan.requested.rules,
        remembered=dict(scan.done.remembered) if scan.done else {},
        nothing_new=not any(entry.aggregate == IMPROVEMENT.name for entry in chronicle.own),
        findings={
            rule: RuleCounts(before=before.get(rule, 0), after=after.get(rule, 0))
            for rule in sorted(before.keys() | after.keys())
        },
    )


NO_TESTS = SuiteCounts(passed=0, failed=0)


def result(id: str, state: Improvement) -> Result:
    """Return what became of an improvement. The state is of a discovered one."""
    found = state.discovered
    assert found is not None  # noqa: S101 -- a scan names what was discovered
    assert state.status is not None  # noqa: S101 -- set together with it
    proof = state.verdict or state.change
    return Result(
        id=id,
        title=found.title,
        source=found.source,
        rule=found.rule,
        status=state.status.value,
        commit=state.deployed.commit if state.deployed else None,
        reason=reason_of(state),
        files=proof.files if proof else found.files,
    )


def reason_of(state: Improvement) -> str:
    """Return, in the words of the facts that decided it, why an improvement stands where it does."""
    if state.blocked is not None:
        return state.blocked.reason
    if kept := kept_because(state):
        return f"asked to be taken back and kept: {kept}"
    if state.status is Status.PARTLY_LANDED and state.verdict is not None:
        paths = dict.fromkeys(part.path for part in state.verdict.left_out)
        doubts = [part.reason for part in state.design.leave_out] if state.design else []
        harms = dict.fromkeys([*doubts, *(refusal.reason for refusal in state.refusals)])
        return f"without {', '.join(paths)}: {'; '.join(harms)}"
    if state.status in (*LANDED, Status.APPROVED) and state.approval is not None:
        return state.approval.reason
    return state.reason


def kept_because(state: Improvement) -> str:
    """Return why a landed change could not be taken back; empty when nobody tried."""
    refused = {refusal.reason for refusal in state.refusals}
    return state.reason if state.status in LANDED and state.reason not in refused else ""


def head_of(chronicle: Chronicle, base: str) -> str:
    """Return where the release branch stands: where the last deployment left it, else at the base."""
    if not any(chronicle.of(ChangeDeployed)):
        return base
    tips = [e.fact.tip for e in chronicle.entries if isinstance(e.fact, Succeeded | RolledBack)]
    return (tips and tips[-1]) or base


def suite_runs(chronicle: Chronicle) -> int:
    """Count the runs of the target's suite: those of the baseline and those on stacks of changes."""
    facts = [entry.fact for entry in chronicle.own]
    baseline = sum(fact.suite_runs for fact in facts if isinstance(fact, BaselineRecorded))
    return baseline + sum(isinstance(fact, Tested) for fact in facts)


def seconds(chronicle: Chronicle, scan: str) -> int:
    """Return the seconds from the request to the last fact of the cycle."""
    times = [entry.time for entry in chronicle.own]
    return round((max(times) - min(times)).total_seconds()) if times else 0


def _splits(chronicle: Chronicle) -> tuple[Halving, ...]:
    return tuple(
        Halving(improvement=s.improvement, kind=s.kind, parts=s.parts, reason=s.reason)
        for entry, s in chronicle.of(Split)
        if entry.correlation == chronicle.correlation
    )


async def _findings_after(
    book: Log, chronicle: Chronicle, states: States, before: Mapping[str, int]
) -> dict[str, int]:
    measured = list(chronicle.of(BenefitMeasured))
    if not measured or not any(state.status in LANDED for state in states.values()):
        return dict(before)
    entry, benefit = measured[-1]
    after = COUNTS.validate_json(await book.fetch(benefit.report))
    for gone, _ in chronicle.of(ChangeRolledBack):
        found = states[gone.id].discovered
        if gone.seq > entry.seq and found is not None and states[gone.id].status not in LANDED:
            after[found.rule] = before.get(found.rule, 0)
    return after


async def _failing(book: Log, baseline: BaselineRecorded | None) -> tuple[str, ...]:
    if baseline is None or not baseline.failed:
        return ()
    report = SuiteReport.model_validate_json(await book.fetch(baseline.report))
    return tuple(name for name, ran in report.tests.items() if ran in (Ran.FAILED, Ran.ERROR))


async def _tests_after(book: Log, chronicle: Chronicle, states: States) -> SuiteCounts | None:
    landed = [entry.id for entry, _ in chronicle.of(ChangeDeployed) if states[entry.id].status in LANDED]
    verdict = states[landed[-1]].verdict if landed else None
    if verdict is None:
        return None
    report = SuiteReport.model_validate_json(await book.fetch(verdict.report))
    return SuiteCounts(passed=report.passed, failed=report.failed)
