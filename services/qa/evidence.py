"""Examines a stack that is green: every gate on every change, with its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass

from unidiff import PatchSet

from events.envelope import Cause
from events.improvement import IMPROVEMENT
from schemas.improvement import GateResult, LeftOut, ScenarioResult
from schemas.suite import SuiteReport
from services.changes.stacking import Stacked
from services.engines.deterministic.finding import Scan, find
from services.engines.deterministic.rules import RuleSet
from services.engines.deterministic.verifying import Verdict, verify_gone
from services.gates.coverage import no_newly_uncovered
from services.gates.evaluator_files import is_evaluator
from services.gates.public_api import public_api_unchanged
from services.gates.secrets import added_lines, secrets_absent
from services.gates.size import SizeLimit, findings_gone, size_within
from services.gates.suite import original_tests_pass, scenarios_pass, suite_no_worse
from services.gates.weakening import evaluator_not_weakened
from services.gherkin.feature import parse_feature
from services.gherkin.running import execute
from services.qa.candidate import Refusal
from services.qa.material import Material
from services.qa.scenarios import Observed

LIMIT = SizeLimit(files=400, lines=8000)
Texts = Mapping[str, str | None]


@dataclass(frozen=True)
class Tip:
    """What was measured once for a whole stack: scans, and the suite with edited and with original tests."""

    before: Scan
    after: Scan
    suite: SuiteReport | None
    edited: tuple[str, ...]
    original: SuiteReport | None


@dataclass(frozen=True)
class Sheet:
    """The gates of one change, and its scenarios as they went."""

    stacked: Stacked
    gates: tuple[GateResult, ...]
    scenarios: tuple[ScenarioResult, ...]

    @property
    def unmet(self) -> tuple[GateResult, ...]:
        """The gates that refuse the change."""
        return tuple(gate for gate in self.gates if not gate.passed)


class Examination:
    """Asks every gate about a stack."""

    def __init__(self, material: Material) -> None:
        self._material = material

    async def refusals(self, stacked: tuple[Stacked, ...], token: int, cause: Cause) -> tuple[Refusal, ...]:
        """Return what the gates refuse of a stack, part by part where a gate names files."""
        refused = []
        tip = await self.measure(stacked, token, cause)
        for sheet in await self.sheets(stacked, tip):
            if sheet.unmet:
                reason = "; ".join(f"{gate.gate}: {gate.evidence}" for gate in sheet.unmet)
                refused.append(Refusal(sheet.stacked.layer.improvement, reason, _parts(sheet, tip, reason)))
        return tuple(refused)

    async def measure(self, stacked: tuple[Stacked, ...], token: int, cause: Cause) -> Tip:
        """Scan the tip, and run the original tests on it where a change edited tests."""
        material = self._material
        rules = RuleSet(select=material.scan.requested.rules)
        async with material.worktree("examine") as tree:
            before = await find(tree, material.packages, rules)
            await material.repository.reset_worktree(tree, stacked[-1].commit)
            after = await find(tree, material.packages, rules)
        tip = stacked[-1]
        changed = await material.repository.changed_paths(material.formed.base, tip.commit)
        edited = tuple(path for path in changed if is_evaluator(path))
        if edited and material.baseline.usable:
            await material.tested(tip.commit, tip.tree, edited, len(stacked), token, cause)
        return Tip(
            before=before,
            after=after,
            suite=await material.report(tip.tree),
            edited=edited,
            original=await material.report(tip.tree, original=True),
        )

    async def sheets(self, stacked: tuple[Stacked, ...], tip: Tip) -> tuple[Sheet, ...]:
        """Return every change's gates; changes that came out empty have none."""
        uncovered = await self._uncovered(stacked, tip)
        return tuple([await self._sheet(one, tip, uncovered) for one in stacked if not one.empty])

    async def _sheet(self, one: Stacked, tip: Tip, uncovered: GateResult) -> Sheet:
        material, repository = self._material, self._material.repository
        diff = await repository.diff(one.parent, one.commit)
        before, after = await self._texts(one.parent, one), await self._texts(one.commit, one)
        patch = PatchSet(diff)
        gone = verify_gone(tip.before, tip.after, one.layer.recipe.rule)
        gates = (
            self._suite(tip),
            original_tests_pass(
                tuple(p for p in tip.edited if p in one.applied.changed_paths),
                material.before,
                material.baseline.flaky,
                tip.original,
            )
            if material.baseline.usable
            else original_tests_pass((), material.before, (), None),
            evaluator_not_weakened(before, after),
            public_api_unchanged(_present(before), _present(after)),
            _own(uncovered, one),
            secrets_absent(added_lines(diff)),
            size_within(len(patch), patch.added, patch.removed, LIMIT),
            _gone(gone, one),
        )
        scenarios = await self._scenarios(one, tip, gone, gates)
        return Sheet(one, (*gates, scenarios_pass(scenarios)), scenarios)

    async def _scenarios(
        self, one: Stacked, tip: Tip, gone: Verdict, gates: tuple[GateResult, ...]
    ) -> tuple[ScenarioResult, ...]:
        book, id = self._material.bench.book, one.layer.improvement
        requirements = (await book.state(IMPROVEMENT, id)).requirements
        assert requirements is not None  # noqa: S101 -- an implemented improvement has them
        text = (await book.fetch(requirements.feature)).decode()
        by_name = {gate.gate: gate for gate in gates}
        seen = Observed(one.layer.discovered, one, tip.before, tip.after, gone, by_name)
        return execute(parse_feature(text), seen)

    def _suite(self, tip: Tip) -> GateResult:
        material = self._material
        if tip.suite is None:
            return suite_no_worse(material.before, (), material.before)
        return suite_no_worse(material.before, material.baseline.flaky, tip.suite)

    async def _uncovered(self, stacked: tuple[Stacked, ...], tip: Tip) -> GateResult:
        material = self._material
        diff = await material.repository.diff(material.formed.base, stacked[-1].commit)
        measured = material.baseline.coverage and tip.suite is not None and bool(tip.suite.covered)
        why = material.baseline.reason or "the suite does not run under coverage"
        after = tip.suite or material.before
        return no_newly_uncovered(material.before, after, diff, measured=measured, why_not=why)

    async def _texts(self, commit: str, one: Stacked) -> dict[str, str | None]:
        repository = self._material.repository
        texts: dict[str, str | None] = {}
        for path in one.applied.changed_paths:
            try:
                texts[path] = (await repository.read_file(commit, path)).decode("utf-8", "replace")
            except FileNotFoundError:
                texts[path] = None
        return texts


def _present(texts: Texts) -> dict[str, str]:
    return {path: text for path, text in texts.items() if text is not None}


def _gone(gone: Verdict, one: Stacked) -> GateResult:
    """The rule's findings are gone at the tip, for real; `problems` name what was hidden instead."""
    before = one.applied.fixed + len(one.applied.remaining)
    result = findings_gone(1, before, before - one.applied.fixed, 0)
    if gone.problems:
        return result.model_copy(update={"passed": False, "evidence": "; ".join(gone.problems)})
    return result


def _own(uncovered: GateResult, one: Stacked) -> GateResult:
    """A line that lost its coverage is held against the changes of its file."""
    if uncovered.passed or any(f"{path}:" in uncovered.evidence for path in one.applied.changed_paths):
        return uncovered
    return uncovered.model_copy(update={"passed": True, "evidence": "no line of its files lost coverage"})


def _parts(sheet: Sheet, tip: Tip, reason: str) -> tuple[LeftOut, ...]:
    """The files to leave out, where every unmet gate points at some; nothing means the whole change."""
    paths = sheet.stacked.applied.changed_paths
    named: set[str] = set()
    for gate in sheet.unmet:
        mine = {path for path in paths if path in gate.evidence}
        if gate.gate == "original_tests_pass":
            mine = {path for path in paths if path in tip.edited}
        if not mine:
            return ()
        named |= mine
    return tuple(LeftOut(path=path, reason=reason) for path in sorted(named))
