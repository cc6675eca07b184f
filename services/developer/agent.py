"""Developer: writes the change as one reviewable commit on the base, in a worktree of its own."""

from dataclasses import dataclass

from events.catalogue import read_fact
from events.envelope import Cause
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import Abandoned, ChangeImplemented
from events.run import RUN, Completed, Failed, Requested, Started
from events.store import Recorded
from events.target import TARGET
from schemas.aps_vocabulary import Phase
from services.asking.consulting import Consultant
from services.asking.keeping import DIFF
from services.asking.leaving import leave_to_others
from services.changes.keeping import without_secrets
from services.changes.recipes import without
from services.changes.stacking import Layer, Stack, Stacked
from services.developer.delivered import take_over
from services.developer.fulfilling import REQUEST, fulfil
from services.developer.policy import Abandon, Implement, TakeOver, whenever
from services.developer.unheard import abandoned_runs, run_id
from services.engines.deterministic.recipe import Recipe
from services.engines.deterministic.rules import written_for
from services.runtime.log import Change
from services.runtime.workbench import Workbench
from services.workspace.environments.declared_python import python_at

ENGINE = "deterministic"
NO_NEW_TESTS = (
    "None added: the rewrite keeps behaviour, so the target's own suite is the proof. "
    "It runs before and after, and on the unedited tests."
)


@dataclass(frozen=True)
class Developer:
    """Reacts to designs and refusals. Without a consultant no request is written."""

    bench: Workbench
    consultant: Consultant | None = None
    role: str = "developer"

    async def react(self, event: Recorded) -> None:
        """Implement or abandon, as the policy says."""
        id = event.envelope.address.id
        while not await self._done(id, event):
            continue

    async def _done(self, id: str, event: Recorded) -> bool:
        """Do what is to be done now; return whether that was all."""
        state = await self.bench.book.state(IMPROVEMENT, id)
        match whenever(id, read_fact(event.envelope), state):
            case TakeOver():
                return await take_over(self.bench, id, self.bench.cause(event))
            case Implement() if state.discovered and state.discovered.source == REQUEST:
                if self.consultant is None:
                    await leave_to_others(self.bench.book, id, event)
                await fulfil(self.bench, self.consultant, id, self.bench.cause(event))
            case Implement():
                await self._implement(id, self.bench.cause(event))
            case Abandon(reason=reason):
                await self.bench.book.record(
                    IMPROVEMENT, id, Abandoned(reason=reason), cause=self.bench.cause(event)
                )
            case None:
                pass
        return True

    async def _implement(self, id: str, cause: Cause) -> None:
        book = self.bench.book
        async with self.bench.claim(IMPROVEMENT, id, "implementation", cause) as held:
            state = await book.state(IMPROVEMENT, id)
            attempt = len(state.refusals) + 1
            run = run_id(id, held.token)
            requested = Requested(
                improvement=id, role=self.role, engine=ENGINE, model="", task="write the change"
            )
            dead = await abandoned_runs(book, id, held.token)
            await book.record_all([*dead, Change(RUN, run, (requested, Started()))], cause)
            begun = book.clock()
            try:
                stacked = await self._write(id, state)
            except Exception as failure:
                spent = int((book.clock() - begun).total_seconds() * 1000)
                await book.record(RUN, run, Failed(duration_ms=spent, reason=str(failure)[:500]), cause=cause)
                raise
            spent = int((book.clock() - begun).total_seconds() * 1000)
            done = Change(RUN, run, (Completed(duration_ms=spent),))
            if stacked.empty:
                reason = f"the fix of {stacked.layer.discovered.rule} changes nothing here"
                gone = Change(IMPROVEMENT, id, (Abandoned(reason=reason),))
                await book.record_all([done, gone], cause)
                return
            fact = await self._fact(id, stacked, claim=held.token, attempt=attempt, run=run)
            change = await self.bench.handoff(id, fact, Phase.IMPLEMENTATION, cause)
            await book.record_all([done, change], cause)

    async def _write(self, id: str, state: Improvement) -> Stacked:
        assert state.discovered is not None  # noqa: S101 -- the policy admits only discovered ones
        assert state.discovered_at is not None  # noqa: S101 -- set together with it
        discovered = state.discovered
        target = await self.bench.book.state(TARGET, discovered.target)
        scan = target.scans[discovered.scan]
        assert scan.done is not None  # noqa: S101 -- an improvement is discovered by a finished scan
        repository = self.bench.workspace.repository(discovered.target)
        async with self.bench.worktree(discovered.target, f"{id}-write", discovered.base) as tree:
            whole = Recipe(
                rule=discovered.rule,
                target_version=written_for(python_at(tree).oldest),
                packages=scan.done.packages,
                select=scan.requested.rules,
                only_paths=discovered.files,
            )
            recipe = without(whole, state.leave_out, discovered.files)
            layer = Layer(id, recipe, discovered, state.discovered_at)
            return (await Stack(repository, tree).build(discovered.base, [layer]))[0]

    async def _fact(
        self, id: str, stacked: Stacked, *, claim: int, attempt: int, run: str
    ) -> ChangeImplemented:
        book, layer = self.bench.book, stacked.layer
        repository = self.bench.workspace.repository(layer.discovered.target)
        patch = await repository.patch(stacked.parent, stacked.commit)
        return ChangeImplemented(
            claim=claim,
            attempt=attempt,
            run=run,
            base=stacked.parent,
            commit=stacked.commit,
            tree=stacked.tree,
            patch=await book.keep(await without_secrets(patch), f"{id}.patch", DIFF),
            recipe=await book.keep(layer.recipe.model_dump_json(), f"{id}.recipe.json", "application/json"),
            files=stacked.applied.changed_paths,
            fixed=stacked.applied.fixed,
            remaining=len(stacked.applied.remaining),
            tests=NO_NEW_TESTS,
        )
