"""What QA measured of one change, as the answers to the steps of its scenarios."""

from dataclasses import dataclass

from events.improvement_facts import Discovered
from schemas.findings import Finding
from schemas.improvement import GateResult
from services.changes.recipes import Written
from services.changes.stacking import Stacked
from services.engines.deterministic.finding import Scan
from services.engines.deterministic.verifying import Verdict
from services.gates.behaviours import DECIDES, Promise, Showing
from services.gherkin.running import Observation


@dataclass(frozen=True)
class Observed:
    """One change on the tested tip: `before` and `after` are scans of the base and of the tip.

    `showing` is what the tests of a written change did; None for a rule's.
    """

    discovered: Discovered
    one: Stacked
    before: Scan
    after: Scan
    gone: Verdict
    gates: dict[str, GateResult]
    showing: Showing | None = None

    def target_at(self, commit: str) -> Observation:
        """Say whether the change was made for the target at `commit`."""
        return Observation(commit == self.discovered.base, f"made for {self.discovered.base}")

    def change_applied(self) -> Observation:
        """Say whether the change is in the stack that was tested."""
        files = len(self.one.applied.changed_paths)
        return Observation(not self.one.empty, f"commit {self.one.commit[:12]} changes {files} files")

    def findings_at_most(self, rule: str, most: int, paths: tuple[str, ...]) -> Observation:
        """Count the rule's findings after the change; what a refusal left out is allowed on top, and said."""
        left = [f for f in self.after.findings if f.rule == rule and _within(f.path, paths)]
        allowed = [f for f in self.before.findings if f.rule == rule and self._left_out(f)]
        own = len(self.one.applied.remaining)
        said = f"{len(left)} findings of {rule} left"
        if allowed:
            said += f"; {len(allowed)} of them were left out because they did harm"
        if len(left) > most + len(allowed) >= own:
            return Observation(
                True, f"{said}, {own} when the change was made: others came with later changes"
            )
        return Observation(len(left) <= most + len(allowed), said)

    def nothing_suppressed(self) -> Observation:
        """Say whether every finding that is gone was fixed, not hidden."""
        problems = "; ".join(self.gone.problems)
        return Observation(not problems, problems or "the counts agree with all suppressions ignored")

    def tests_still_pass(self) -> Observation:
        """Hold the suite against the baseline."""
        return self._gate("suite_no_worse")

    def interface_unchanged(self) -> Observation:
        """Compare what others may import."""
        return self._gate("public_api_unchanged")

    def tests_not_weakened(self) -> Observation:
        """Compare what judges the change."""
        return self._gate("evaluator_not_weakened")

    def only_where_fired(self) -> Observation:
        """Compare the files touched with the files where the rule fired."""
        others = sorted(set(self.one.applied.changed_paths) - set(self.discovered.files))
        said = f"also touched: {', '.join(others)}" if others else f"{len(self.discovered.files)} files"
        return Observation(not others, said)

    def shown_by_tests(self, behaviour: str) -> Observation:
        """Hold the tests named for a behaviour against what they did without the change and with it."""
        return self._proven(behaviour, Promise.NEW)

    def guarded_by_tests(self, behaviour: str) -> Observation:
        """Hold the tests named for a behaviour against the suite before: they are new and reach further."""
        return self._proven(behaviour, Promise.GUARDED)

    def kept_by_tests(self, behaviour: str) -> Observation:
        """Hold the tests named for a behaviour against what they did: they pass before and after."""
        return self._proven(behaviour, Promise.KEPT)

    def _proven(self, behaviour: str, promise: Promise) -> Observation:
        if self.showing is None:
            return Observation(False, "the change names no tests")
        shown = self.showing.of(behaviour, promise)
        evidence = f"{shown.evidence}; {DECIDES}" if shown.person else shown.evidence
        return Observation(shown.passed, evidence)

    def _gate(self, name: str) -> Observation:
        gate = self.gates[name]
        return Observation(gate.passed, gate.evidence)

    def _left_out(self, finding: Finding) -> bool:
        recipe = self.one.layer.recipe
        if isinstance(recipe, Written):
            return False
        elsewhere = recipe.only_paths is not None and finding.path not in recipe.only_paths
        return finding.site in recipe.leave_out or elsewhere


def _within(path: str, packages: tuple[str, ...]) -> bool:
    return any(path == package or path.startswith(f"{package}/") or package == "." for package in packages)
