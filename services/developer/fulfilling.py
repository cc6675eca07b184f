"""Fulfils a request: an engine writes the change, and what it wrote is handed over with its evidence."""

from events.envelope import Cause
from events.improvement import IMPROVEMENT, MAX_ATTEMPTS, Improvement
from events.improvement_facts import Abandoned, ChangeImplemented
from events.target import TARGET
from schemas.aps_vocabulary import Phase
from schemas.engine import FailureKind
from services.asking.consulting import NOT_CAPABLE, Consultant, NotAnswered
from services.asking.stops import Bound, Tried, failure_digest, why_stop
from services.asking.waiting import halted
from services.changes.brief import brief
from services.changes.keeping import keep_patch, refused_patch
from services.changes.recipes import Written
from services.developer.writing import Draft, draft, hopeless
from services.engines.line import one_line
from services.masking.mask import masked
from services.runtime.log import Log
from services.runtime.workbench import Workbench

REQUEST = "request"


async def fulfil(bench: Workbench, consultant: Consultant | None, id: str, cause: Cause) -> None:
    """Have the change written and hand it over; let it wait, or end, where nobody can."""
    book = bench.book
    async with bench.claim(IMPROVEMENT, id, "implementation", cause) as held:
        state = await book.state(IMPROVEMENT, id)
        if why := await _no_progress(book, state):
            await book.record(IMPROVEMENT, id, Abandoned(reason=refused_for(why, state)), cause=cause)
            return
        try:
            made = await _drafted(bench, consultant, id, state, cause)
        except NotAnswered as nobody:
            await book.record(IMPROVEMENT, id, halted("no engine wrote it", nobody, id), cause=cause)
            return
        if why := hopeless(made, await refused_patch(book, state)):
            await book.record(IMPROVEMENT, id, Abandoned(reason=refused_for(why, state)), cause=cause)
            return
        fact = await _implemented(book, id, state, made, held.token)
        await bench.hand_over(id, fact, Phase.IMPLEMENTATION, cause)


def refused_for(why: str, state: Improvement) -> str:
    """Return why no other attempt is made, with what the last refusal said, on one bounded line."""
    if not state.refusals:
        return why
    return f"{why}; the last refusal: {one_line(state.refusals[-1].reason)}"


async def _drafted(
    bench: Workbench, consultant: Consultant | None, id: str, state: Improvement, cause: Cause
) -> Draft:
    if consultant is None:
        raise NotAnswered(FailureKind.NOT_CAPABLE, NOT_CAPABLE)
    found = state.discovered
    assert found is not None  # noqa: S101 -- the caller looked at its source
    told = await brief(bench.book, await bench.book.state(TARGET, found.target), state)
    async with bench.worktree(found.target, f"{id}-write", found.base) as tree:
        repository = bench.workspace.repository(found.target)
        return await draft(consultant, repository, tree, id, state, told, cause)


async def _no_progress(book: Log, state: Improvement) -> str | None:
    """Say why another attempt is not worth a call: the last ones failed in the same way."""
    reports = [(await book.fetch(refusal.bug_report)).decode() for refusal in state.refusals]
    tried = [Tried(str(n), failure_digest(report)) for n, report in enumerate(reports)]
    return why_stop(tried, Bound(attempts=MAX_ATTEMPTS))


async def _implemented(book: Log, id: str, state: Improvement, made: Draft, token: int) -> ChangeImplemented:
    account, found = made.asked.value, state.discovered
    assert found is not None  # noqa: S101 -- the caller looked at its source
    patch = await keep_patch(book, id, f"{id}.patch", made.patch)
    written = Written(
        base=found.base,
        patch=patch,
        files=made.files,
        summary=masked(account.summary),
        proofs=dict(account.tests()),
    )
    tests = sorted({test for named in written.proofs.values() for test in named})
    return ChangeImplemented(
        claim=token,
        attempt=len(state.refusals) + 1,
        run=made.asked.run,
        base=found.base,
        commit=made.commit,
        tree=made.tree,
        patch=patch,
        recipe=await book.keep(written.model_dump_json(), f"{id}.recipe.json", "application/json"),
        files=made.files,
        fixed=0,
        remaining=0,
        tests=f"Added: {', '.join(tests)}",
    )
