"""Tries a batch: runs the suite on stacks of its changes until what can be kept is known.

Resumable at every step: suite runs are facts by tree, stacks come out the same, and the search is a pure
function of both. Gates that judge single changes are asked once the suite is green.
"""

from collections.abc import Sequence
from dataclasses import replace

from events.batch import BATCH, Settled, Split
from events.envelope import Cause
from events.improvement import IMPROVEMENT
from events.improvement_facts import ChangeRefuted
from schemas.aps_vocabulary import Phase
from schemas.improvement import LeftOut
from schemas.suite import SuiteReport
from services.changes.recipes import Written, without
from services.changes.repeating import layer_of, sites_of
from services.changes.stacking import Layer, Stack, Stacked
from services.qa.candidate import Candidate, Done, Member, Refusal, Test
from services.qa.evidence import Examination, in_words
from services.qa.material import Material, broken
from services.qa.reporting import bug_report
from services.qa.search import next_step
from services.runtime.log import Change
from services.runtime.workbench import Workbench

MARKDOWN = "text/markdown"
A_HANDFUL = 5  # so few are judged one by one when runs are short: better to try them together first


class Trial:
    """One search, from the batch as formed to the batch as settled."""

    def __init__(self, bench: Workbench, material: Material, token: int, cause: Cause) -> None:
        self._bench, self._book, self._cause = bench, bench.book, cause
        self._material, self._token = material, token
        self._members: tuple[Member, ...] = ()
        self._layers: dict[str, Layer] = {}
        self._tree_of: dict[str, str] = {}
        self._examined = ""

    async def run(self) -> None:
        """Search to the end and settle the batch."""
        for id in self._material.formed.members:
            state = await self._book.state(IMPROVEMENT, id)
            self._layers[id] = await layer_of(self._book, id, state)
            self._members += (Member(id, await sites_of(self._book, state)),)
        async with self._material.stack() as stack:
            done, stacked = await self._search(stack)
            await self._settle(done, stacked, stack)

    async def _search(self, stack: Stack) -> tuple[Done, tuple[Stacked, ...]]:
        outcomes: dict[str, bool] = {}
        free: set[str] = set()
        trees = {await self._material.repository.tree(self._material.formed.base): True}
        rounds: list[Sequence[Refusal]] = []
        while True:
            step = next_step(
                self._members, outcomes, already_spent=self._spent_elsewhere(), free=free, refusals=rounds
            )
            stacked = await self._stacked(stack, step.candidate)
            if isinstance(step, Done):
                refusals = await self._examine(stacked)
                if not refusals:
                    return step, stacked
                rounds.append(refusals)
                continue
            await self._note_splits(step)
            tree = stacked[-1].tree
            self._tree_of[step.candidate.key] = tree
            if tree in trees:
                free.add(step.candidate.key)
            else:
                whole = step.candidate.shares[-1].id == self._members[-1].id
                coverage = whole and self._material.coverage_is_cheap
                trees[tree] = await self._material.is_green(
                    stacked, self._token, self._cause, coverage=coverage
                )
            outcomes[step.candidate.key] = trees[tree]

    def _spent_elsewhere(self) -> int:
        """Runs that are not the search's: the baseline's, the original tests', a repeat for coverage."""
        repeats = len(self._members) > A_HANDFUL or not self._material.coverage_is_cheap
        return self._material.baseline.suite_runs + 1 + repeats

    async def _stacked(self, stack: Stack, candidate: Candidate) -> tuple[Stacked, ...]:
        layers = []
        for share in candidate.shares:
            layer = self._layers[share.id]
            if not isinstance(layer.recipe, Written):
                recipe = without(layer.recipe, share.without, layer.discovered.files)
                layer = replace(layer, recipe=recipe)
            layers.append(layer)
        return await stack.build(self._material.formed.base, layers)

    async def _settle(self, done: Done, stacked: tuple[Stacked, ...], stack: Stack) -> None:
        """Record what came out, and refute what cannot stay, in one append."""
        formed = self._material.formed
        tree = stacked[-1].tree if stacked else await self._material.repository.tree(formed.base)
        refused = {id: await self._refusal(stack, done, id, reason) for id, reason in done.refused.items()}
        settled = Settled(claim=self._token, tree=tree, kept=done.kept, smaller=done.smaller, refused=refused)
        changes = [Change(BATCH, self._material.id, (settled,))]
        for id, reason in refused.items():
            again = isinstance(self._layers[id].recipe, Written)
            changes.append(await self._refuted(id, reason, (), done, nothing_left=not again))
        for id, parts in done.smaller.items():
            reason = await self._why(done, id, parts[0].reason)
            changes.append(await self._refuted(id, reason, parts, done, nothing_left=False))
        await self._book.record_all(changes, self._cause)

    async def _refusal(self, stack: Stack, done: Done, id: str, reason: str) -> str:
        """Say why a member is refused; a red suite does not hide what gates hold against a written change."""
        why, layer = await self._why(done, id, reason), self._layers[id]
        if not isinstance(layer.recipe, Written) or await self._red(done, id) is None:
            return why
        (one,) = await stack.build(self._material.formed.base, [layer])
        unmet = await Examination(self._material).unmet_alone(one)
        return "; ".join([why, in_words(unmet)]) if unmet else why

    async def _why(self, done: Done, id: str, reason: str) -> str:
        red = await self._red(done, id)
        return reason if red is None else f"{reason}: {broken(self._material, red)}"

    async def _red(self, done: Done, id: str) -> SuiteReport | None:
        """The suite run that proved a part of the improvement guilty, where one did."""
        for guilt in done.guilty:
            if guilt.improvement == id and guilt.red in self._tree_of:
                return await self._material.report(self._tree_of[guilt.red])
        return None

    async def _refuted(
        self,
        id: str,
        reason: str,
        parts: tuple[LeftOut, ...],
        done: Done,
        *,
        nothing_left: bool,
    ) -> Change:
        state = await self._book.state(IMPROVEMENT, id)
        red = await self._red(done, id)
        if red is None and isinstance(self._layers[id].recipe, Written) and self._examined:
            red = await self._material.report(self._examined)  # its writer needs to see what was judged
        report = bug_report(id, state, reason, parts, red, again=not nothing_left)
        fact = ChangeRefuted(
            batch=self._material.id,
            attempt=state.change.attempt if state.change else 1,
            reason=reason,
            bug_report=await self._book.keep(report, f"{id}.bug.md", MARKDOWN),
            leave_out=parts,
            nothing_left=nothing_left,
        )
        return await self._bench.handoff(id, fact, Phase.BUG_REPORT, self._cause)

    async def _examine(self, stacked: tuple[Stacked, ...]) -> tuple[Refusal, ...]:
        if not stacked:
            return ()
        self._examined = stacked[-1].tree
        return await Examination(self._material).refusals(stacked, self._token, self._cause)

    async def _note_splits(self, step: Test) -> None:
        known = (await self._material.batch()).splits
        seen = {(split.improvement, split.kind) for split in known}
        for split in step.splits:
            if (split.improvement, split.kind) not in seen:
                fact = Split(
                    claim=self._token,
                    improvement=split.improvement,
                    kind=split.kind,
                    parts=split.parts,
                    reason=split.reason,
                )
                await self._book.record(BATCH, self._material.id, fact, cause=self._cause)
