"""Writes the bug report that goes back to the Developer with a refused change."""

from collections.abc import Sequence

from events.improvement import Improvement
from schemas.improvement import LeftOut
from schemas.suite import SuiteReport
from services.masking.mask import masked

SHOWN_FAILURES = 10
SHOWN_CHARACTERS = 4000


def bug_report(
    id: str,
    state: Improvement,
    reason: str,
    parts: Sequence[LeftOut],
    red: SuiteReport | None,
    *,
    again: bool = False,
) -> str:
    """Return the report as Markdown, without secrets; `red` is the suite run that showed the harm, if any.

    `again` says that the change is to be written anew.
    """
    assert state.discovered is not None  # noqa: S101 -- only a discovered improvement is refused
    lines = [
        f"# {state.discovered.title} ({state.discovered.rule}) does harm",
        "",
        f"Improvement {id}. {reason}",
        "",
    ]
    if parts:
        lines += ["## To be left out", "", *(f"- {_part(part)}" for part in parts), ""]
    else:
        lines += ["It is to be written again." if again else "Nothing of the change can be kept.", ""]
    if red is not None and (red.failures or not again):
        lines += ["## What the suite said", "", *_failures(red)]
    return masked("\n".join(lines))


def failing_tests(report: str) -> dict[str, str]:
    """Return what a bug report says of each failing test."""
    found: dict[str, list[str]] = {}
    test, quoted = "", False
    for line in report.splitlines():
        if line.startswith("```"):
            quoted = not quoted
        elif not quoted and line.startswith("#"):
            test = line.removeprefix("### ") if line.startswith("### ") else ""
            if test:
                found[test] = []
        elif quoted and test:
            found[test].append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def _part(part: LeftOut) -> str:
    place = f"`{part.path}`" + (
        f", {part.site.scope or 'module level'}: `{part.site.text}`" if part.site else ""
    )
    return f"{place}: {part.reason}"


def _failures(red: SuiteReport) -> list[str]:
    lines = []
    for test, text in sorted(red.failures.items())[:SHOWN_FAILURES]:
        lines += [f"### {test}", "", "```text", text[-SHOWN_CHARACTERS:].replace("```", "'''"), "```", ""]
    if not red.failures:
        lines += ["```text", red.output[-SHOWN_CHARACTERS:].replace("```", "'''"), "```", ""]
    return lines
