"""What whoever writes a designed change is told: an engine of ours, or an agent from outside."""

from collections.abc import Sequence
from dataclasses import dataclass

from events.improvement import Improvement
from events.run import RUN, Completed
from events.target import Target
from services.asking.context import context_of
from services.gherkin.feature import parse_feature
from services.gherkin.steps import GuardedByTests, KeptByTests, Proven, ShownByTests
from services.prompting.material import Material
from services.runtime.log import Log

DEMANDED: dict[type[Proven], str] = {
    ShownByTests: "at least one that fails on the source as it was and passes now",
    GuardedByTests: "at least one new one that runs lines no test ran before and passes; change only tests",
    KeptByTests: "at least one, new or there already, that passes on the source as it was and passes now",
}


@dataclass(frozen=True)
class Brief:
    """What the writer is told: the project, the behaviours, the plan, and what was refused before.

    `proof` says what the tests of each behaviour have to do; `context` is what was handed over with the
    request.
    """

    title: str
    behaviours: Sequence[str]
    plan: str
    bug_reports: Sequence[str]
    engine: str = ""
    session: str = ""
    context: Sequence[Material] = ()
    proof: str = DEMANDED[ShownByTests]


async def brief(book: Log, target: Target, state: Improvement) -> Brief:
    """Gather what the writer of a designed improvement is told."""
    requirements, design = state.requirements, state.design
    assert requirements is not None  # noqa: S101 -- designed, so specified
    assert design is not None  # noqa: S101 -- the policy admits only designed ones
    feature = parse_feature((await book.fetch(requirements.feature)).decode())
    steps = [stated.step for scenario in feature.scenarios for stated in scenario.steps]
    proven = [step for step in steps if isinstance(step, Proven)]
    session = await _session(book, state) if state.refusals else ""
    reports = [(await book.fetch(refusal.bug_report)).decode() for refusal in state.refusals]
    found = state.discovered
    assert found is not None  # noqa: S101 -- designed, so discovered
    return Brief(
        title=target.registered.title if target.registered else found.target,
        engine=target.scans[found.scan].requested.engine,
        behaviours=[step.behaviour for step in proven],
        plan=(await book.fetch(design.decision)).decode() if design.decision else "",
        bug_reports=reports,
        session=session,
        context=await context_of(book, target, found.scan),
        proof="; ".join(dict.fromkeys(DEMANDED[type(step)] for step in proven)),
    )


async def _session(book: Log, state: Improvement) -> str:
    """The session in which the refused change was written, so that its writer knows what it did."""
    if state.change is None:
        return ""
    ended = (await book.state(RUN, state.change.run)).ended
    return ended.session if isinstance(ended, Completed) else ""
