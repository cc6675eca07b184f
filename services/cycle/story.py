"""Orders an outcome and its details for a reader: what the report tells, before it is Markdown or HTML.

Rules
1. What waits for the reader comes first, then what landed, then what did not and what it would have broken.
2. Text is the log's; each form of the report escapes all of it.
"""

from dataclasses import dataclass

from services.cycle.commands import Command, deciding, reaching, seeing, undoing
from services.cycle.details import Detail, Details
from services.cycle.outcome import Outcome, Result
from services.cycle.words import Standing, change_of, counted, duration, standing

UNKNOWN = Detail(
    why="",
    fixed=0,
    risk="",
    risk_reasons=(),
    gates=(),
    scenarios=0,
    left_out=(),
    harms=(),
    tests="",
    kept="",
)
ON_BRANCH = (Standing.LANDED, Standing.PARTLY)
ENDED = (
    Standing.REFUSED,
    Standing.DECLINED,
    Standing.TAKEN_BACK,
    Standing.NOT_DEPLOYED,
    Standing.UNDER_WAY,
)


@dataclass(frozen=True)
class Item:
    """One improvement as the report tells it."""

    result: Result
    detail: Detail
    standing: Standing
    findings: str
    needs: str
    commands: tuple[Command, ...]

    @property
    def clean(self) -> str:
        """All gates in one sentence."""
        gates = self.detail.gates
        passed = sum(gate.passed for gate in gates)
        return f"{passed} of {counted(len(gates), 'gate')} passed" if gates else "no gate was asked"


@dataclass(frozen=True)
class Story:
    """The whole report, in reading order."""

    title: str
    lead: str
    figures: tuple[tuple[str, str], ...]
    seeing: tuple[Command, ...]
    undoing: tuple[Command, ...]
    waiting: tuple[Item, ...]
    landed: tuple[Item, ...]
    harmful: tuple[Item, ...]
    search: tuple[str, ...]
    notes: tuple[str, ...]
    rules: tuple[tuple[str, int, int], ...]


def story_of(outcome: Outcome, details: Details, aps: str) -> Story:
    """Order what there is to tell; `aps` begins each command."""
    items = tuple(_item(outcome, details, one, aps) for one in outcome.improvements)
    return Story(
        title=_title(outcome),
        lead=_lead(outcome),
        figures=_figures(outcome),
        seeing=seeing(outcome),
        undoing=undoing(outcome, aps),
        waiting=tuple(item for item in items if item.standing is Standing.WAITING),
        landed=tuple(item for item in items if item.standing in ON_BRANCH),
        harmful=tuple(item for item in items if item.detail.harms or item.standing in ENDED),
        search=_search(outcome),
        notes=(*outcome.notes, *_python(outcome, details)),
        rules=tuple((rule, c.before, c.after) for rule, c in outcome.findings.items()),
    )


def _item(outcome: Outcome, details: Details, one: Result, aps: str) -> Item:
    stands = standing(outcome, one)
    needs = next((waiting.needs for waiting in outcome.waiting if waiting.id == one.id), "")
    return Item(
        result=one,
        detail=details.improvements.get(one.id, UNKNOWN),
        standing=stands,
        findings=change_of(outcome, one.rule),
        needs=reaching(needs, aps),
        commands=deciding(outcome, one, aps) if stands is Standing.WAITING else (),
    )


def _title(outcome: Outcome) -> str:
    name, number = outcome.title, len(outcome.improvements)
    if outcome.failure:
        return f"{name} could not be searched"
    if outcome.look_only:
        return f"{counted(outcome.findings_before, 'finding')} in {name}"
    if not number:
        return f"Nothing to improve in {name}"
    if outcome.dry_run and not outcome.landed:
        return f"{len(outcome.waiting)} of {counted(number, 'improvement')} proven for {name}"
    return f"{len(outcome.landed)} of {counted(number, 'improvement')} landed in {name}"


def _lead(outcome: Outcome) -> str:
    if outcome.failure:
        return outcome.failure
    if outcome.look_only:
        return "This was only a look: nothing was changed."
    if outcome.dry_run and not outcome.landed:
        return "This was a dry run: everything was proven and nothing was changed."
    if not outcome.landed:
        return "Nothing landed: the target is as it was."
    before, after = outcome.tests_before, outcome.tests_after
    return (
        f"They stand on the branch {outcome.branch}, one commit each; your own branches and files were not "
        f"touched. {counted(after.passed, 'test')} pass there, {before.passed} passed before. Whatever broke "
        "a test or failed a gate was left out."
    )


def _figures(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    before, after = outcome.tests_before, outcome.tests_after
    return (
        ("Findings", f"{outcome.findings_before} → {outcome.findings_after}"),
        ("Tests passed", f"{before.passed} → {after.passed}"),
        ("Tests failed", f"{before.failed} → {after.failed}"),
        ("Suite runs", str(outcome.suite_runs)),
        ("Time", duration(outcome.seconds)),
        ("Events", str(outcome.events)),
    )


def _search(outcome: Outcome) -> tuple[str, ...]:
    titles = {one.id: one.title for one in outcome.improvements}
    return tuple(
        f"{titles.get(s.improvement, s.improvement)}: {s.reason}; tried again in {counted(s.parts, s.kind)}"
        for s in outcome.splits
    )


def _python(outcome: Outcome, details: Details) -> tuple[str, ...]:
    if not details.python or not (outcome.landed or outcome.waiting):
        return ()
    return (f"the changes are written for Python {details.python} and newer",)
