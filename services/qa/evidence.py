"""Examines a stack that is green: every gate on every change, with its evidence."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from events.envelope import Cause
from events.improvement import IMPROVEMENT
from schemas.findings import Site
from schemas.improvement import GateResult, LeftOut, ScenarioResult
from schemas.suite import SuiteReport
from services.changes.recipes import Written
from services.changes.stacking import Stacked
from services.engines.deterministic.finding import Scan, find
from services.engines.deterministic.rules import RuleSet
from services.engines.deterministic.source import Source, text_of
from services.engines.deterministic.verifying import Verdict, verify_gone
from services.gates.behaviours import Promise, behaviours_shown
from services.gates.coverage import NO_NEWLY_UNCOVERED, judged, newly_uncovered, no_newly_uncovered
from services.gates.evaluator_files import is_evaluator
from services.gates.size import findings_gone
from services.gates.suite import ORIGINAL_TESTS_PASS, original_tests_pass, scenarios_pass, suite_no_worse
from services.gherkin.feature import Feature, parse_feature
from services.gherkin.running import execute
from services.qa.candidate import Refusal
from services.qa.material import Material
from services.qa.placing import places_of
from services.qa.scenarios import Observed
from services.qa.showing import promised, showing
from services.qa.standalone import judged_alone

HARMLESS = Verdict(gone=0, problems=(), introduced=())


@dataclass(frozen=True)
class Tip:
    """What was measured once for a whole stack: scans, and the suite with edited and with original tests."""

    before: Scan
    after: Scan
    suite: SuiteReport | None
    edited: tuple[str, ...]
    original: SuiteReport | None


@dataclass(frozen=True)
class Lost:
    """A written line that lost its coverage, and the scope it stands in."""

    path: str
    number: int
    scope: str


@dataclass(frozen=True)
class Sheet:
    """The gates of one change, and its scenarios as they went."""

    stacked: Stacked
    gates: tuple[GateResult, ...]
    scenarios: tuple[ScenarioResult, ...]
    lost: tuple[Lost, ...]

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
                reason = in_words(sheet.unmet)
                refused.append(Refusal(sheet.stacked.layer.improvement, reason, _parts(sheet, tip, reason)))
        return tuple(refused)

    async def unmet_alone(self, one: Stacked) -> tuple[GateResult, ...]:
        """Return the gates that refuse a change by itself, whatever the suite says of it."""
        await self._judge_alone((one,))
        alone = self._material.alone.get(one.commit)
        return tuple(gate for gate in alone.gates if not gate.passed) if alone is not None else ()

    async def measure(self, stacked: tuple[Stacked, ...], token: int, cause: Cause) -> Tip:
        """Measure what every change is judged on; each is judged by itself while the suite runs."""
        tip, _ = await asyncio.gather(self._tip(stacked, token, cause), self._judge_alone(stacked))
        known = self._material.showings
        for one in (one for one in stacked if not one.empty):
            await self._material.migrated(one)
            written = one.layer.recipe
            if isinstance(written, Written) and one.commit not in known:
                asked = await self._asked(one)
                known[one.commit] = await showing(
                    self._material, one, written, asked, tip.suite, token, cause
                )
        return tip

    async def _tip(self, stacked: tuple[Stacked, ...], token: int, cause: Cause) -> Tip:
        """Scan the tip, and run the original tests on it where a change edited tests."""
        material = self._material
        tip = stacked[-1]
        if material.baseline.usable and material.baseline.coverage:
            await material.tested(tip.commit, tip.tree, len(stacked), token, cause, coverage=True)
        changed = await material.repository.changed_paths(material.formed.base, tip.commit)
        there = await material.repository.entries(material.formed.base)  # what comes new edits nothing
        edited = tuple(path for path in changed if path in there and is_evaluator(path))
        if edited and material.baseline.usable:
            await material.tested(tip.commit, tip.tree, len(stacked), token, cause, original=edited)
        return Tip(
            before=await self._found(material.formed.base),
            after=await self._found(tip.commit),
            suite=await material.report(tip.tree),
            edited=edited,
            original=await material.report(tip.tree, original=True),
        )

    async def _found(self, commit: str) -> Scan:
        material, known = self._material, self._material.found
        if commit not in known:
            rules = RuleSet(select=material.scan.requested.rules)
            async with material.worktree("examine", commit) as tree:
                known[commit] = await find(tree, material.packages, rules)
        return known[commit]

    async def sheets(self, stacked: tuple[Stacked, ...], tip: Tip) -> tuple[Sheet, ...]:
        """Return every change's gates; changes that came out empty have none."""
        changes = [one for one in stacked if not one.empty]
        lost = await self._lost_lines(stacked, tip)
        return tuple([await self._sheet(one, tip, lost.get(one.commit, ())) for one in changes])

    async def _sheet(self, one: Stacked, tip: Tip, lost: tuple[Lost, ...]) -> Sheet:
        material = self._material
        alone = material.alone[one.commit]
        recipe = one.layer.recipe
        written = isinstance(recipe, Written)
        gone = HARMLESS if isinstance(recipe, Written) else verify_gone(tip.before, tip.after, recipe.rule)
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
            alone.evaluator,
            alone.runner,
            alone.bounds,
            alone.logging,
            alone.public_api,
            self._coverage(tip, lost, alone.diff),
            alone.secrets,
            alone.size,
            await material.migrated(one),
            await self._shown(one) if written else _gone(gone, one),
        )
        scenarios = await self._scenarios(one, tip, gone, gates)
        return Sheet(one, (*gates, scenarios_pass(scenarios)), scenarios, lost)

    async def _judge_alone(self, changes: Sequence[Stacked]) -> None:
        """Judge each change by itself, once; all their files are read in one call of git."""
        known, repository = self._material.alone, self._material.repository
        new = [one for one in changes if not one.empty and one.commit not in known]
        names = [f"{at}:{path}" for one in new for at in _sides(one) for path in one.applied.changed_paths]
        texts = {name: text_of(content) for name, content in (await repository.read_blobs(names)).items()}
        for one in new:
            diff = await repository.diff(one.parent, one.commit)
            before, after = (
                {path: texts.get(f"{at}:{path}") for path in one.applied.changed_paths} for at in _sides(one)
            )
            declared = await self._material.declared(one.layer.improvement)
            places = await places_of(repository, one.parent, one.commit)
            known[one.commit] = await asyncio.to_thread(judged_alone, diff, before, after, places, declared)

    async def _scenarios(
        self, one: Stacked, tip: Tip, gone: Verdict, gates: tuple[GateResult, ...]
    ) -> tuple[ScenarioResult, ...]:
        id = one.layer.improvement
        by_name = {gate.gate: gate for gate in gates}
        shown = self._material.showings.get(one.commit)
        seen = Observed(one.layer.discovered, one, tip.before, tip.after, gone, by_name, shown)
        return execute(await self._feature(id), seen)

    async def _feature(self, id: str) -> Feature:
        book = self._material.bench.book
        requirements = (await book.state(IMPROVEMENT, id)).requirements
        assert requirements is not None  # noqa: S101 -- an implemented improvement has them
        return parse_feature((await book.fetch(requirements.feature)).decode())

    async def _shown(self, one: Stacked) -> GateResult:
        """Hold a written change against the behaviours that its scenarios ask for."""
        return behaviours_shown(await self._asked(one), self._material.showings[one.commit])

    async def _asked(self, one: Stacked) -> dict[str, Promise]:
        """The behaviours that a change's scenarios ask for, each with what its tests promise."""
        return promised(await self._feature(one.layer.improvement))

    def _suite(self, tip: Tip) -> GateResult:
        material = self._material
        if tip.suite is None:
            return suite_no_worse(material.before, (), material.before)
        return suite_no_worse(material.before, material.baseline.flaky, tip.suite)

    def _coverage(self, tip: Tip, lost: tuple[Lost, ...], diff: str) -> GateResult:
        if not self._is_measured(tip):
            why = self._material.baseline.reason or "the suite was not run under coverage"
            return no_newly_uncovered(
                self._material.before, self._material.before, diff, measured=False, why_not=why
            )
        return judged([(line.path, line.number) for line in lost], diff)

    def _is_measured(self, tip: Tip) -> bool:
        return self._material.baseline.coverage and tip.suite is not None and bool(tip.suite.covered)

    async def _lost_lines(self, stacked: tuple[Stacked, ...], tip: Tip) -> dict[str, tuple[Lost, ...]]:
        """Return the lines that lost their coverage, by the commit that wrote them."""
        if tip.suite is None or not self._is_measured(tip):
            return {}
        material, last = self._material, stacked[-1].commit
        # The baseline counts lines as they stood at its own base, also where the stack begins further on.
        diff = await material.repository.diff(material.baseline.base, last)
        lines: dict[str, list[int]] = {}
        for path, number in newly_uncovered(material.before, tip.suite, diff):
            lines.setdefault(path, []).append(number)
        lost: dict[str, tuple[Lost, ...]] = {}
        for path, numbers in lines.items():
            source = Source(text_of(await material.repository.read_file(last, path)))
            for number, commit in (await material.repository.origins(last, path, numbers)).items():
                lost[commit] = (*lost.get(commit, ()), Lost(path, number, source.scope(number)))
        return lost


def in_words(unmet: Sequence[GateResult]) -> str:
    """Say which gates refuse, each with its evidence."""
    return "; ".join(f"{gate.gate}: {gate.evidence}" for gate in unmet)


def _sides(one: Stacked) -> tuple[str, str]:
    return one.parent, one.commit


def _gone(gone: Verdict, one: Stacked) -> GateResult:
    """The rule's findings are gone at the tip, for real; `problems` name what was hidden instead."""
    before = one.applied.fixed + len(one.applied.remaining)
    result = findings_gone(1, before, before - one.applied.fixed, 0)
    if gone.problems:
        return result.model_copy(update={"passed": False, "evidence": "; ".join(gone.problems)})
    return result


def _parts(sheet: Sheet, tip: Tip, reason: str) -> tuple[LeftOut, ...]:
    """What to leave out, where every unmet gate points at some of it; nothing means the whole change."""
    if isinstance(sheet.stacked.layer.recipe, Written):
        return ()
    parts: dict[tuple[str, Site | None], LeftOut] = {}
    for gate in sheet.unmet:
        mine = _pointed_at(gate, sheet, tip)
        if not mine:
            return ()
        parts |= {(path, site): LeftOut(path=path, site=site, reason=reason) for path, site in mine}
    return tuple(parts.values())


def _pointed_at(gate: GateResult, sheet: Sheet, tip: Tip) -> set[tuple[str, Site | None]]:
    """The sites or files of a change that a gate holds against it."""
    applied = sheet.stacked.applied
    if gate.gate == NO_NEWLY_UNCOVERED:
        places = {(line.path, line.scope) for line in sheet.lost}
        return {(site.path, site) for site in applied.fixed_sites if (site.path, site.scope) in places}
    if gate.gate == ORIGINAL_TESTS_PASS:
        return {(path, None) for path in applied.changed_paths if path in tip.edited}
    return {(path, None) for path in applied.changed_paths if f"{path}:" in gate.evidence}
