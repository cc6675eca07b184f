"""What a person should know of a cycle beside its figures."""

from collections.abc import Iterator, Sequence

from events.target import BaselineRecorded, Scan, Target
from services.cycle.text import listed


def notes_of(target: Target, scan: Scan, failing: Sequence[str]) -> tuple[str, ...]:
    """Return the notes of a scan's cycle, each once; `failing` tests failed before any change."""
    baseline = target.baseline_at(scan.requested.base)
    remembered = scan.done.remembered.items() if scan.done else ()
    return tuple(
        dict.fromkeys(
            (
                *scan.requested.notes,
                *(scan.done.notes if scan.done else ()),
                *(_of_suite(baseline, failing) if baseline else ()),
                *(not_again(rule, why) for rule, why in remembered),
            )
        )
    )


def not_again(rule: str, why: str) -> str:
    """Return the note on a rule that was not proposed again."""
    return f"{rule} was not proposed again: {why}"


def _of_suite(baseline: BaselineRecorded, failing: Sequence[str]) -> Iterator[str]:
    yield from baseline.notes
    if not baseline.usable:
        yield f"the suite proves nothing: {baseline.reason}"
    elif not baseline.coverage:
        yield "coverage was not measured: the suite does not run under it"
    if failing:
        tests = "1 test" if len(failing) == 1 else f"{len(failing)} tests"
        yield f"{tests} failed before any change: {listed(failing)}"
    if baseline.flaky:
        yield f"{len(baseline.flaky)} flaky, excused whatever they show: {listed(baseline.flaky)}"
