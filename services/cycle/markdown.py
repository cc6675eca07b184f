"""The report as Markdown: text of the target is escaped, code of the target is fenced.

Rules
1. A text that is not ours never becomes a heading, a link, an image, HTML or a table cell of its own.
2. A fence is longer than any run of backticks inside it.
"""

import re
from collections.abc import Iterable, Iterator

from services.cycle.commands import Command
from services.cycle.details import Details
from services.cycle.outcome import Outcome
from services.cycle.story import Item, Story, story_of
from services.cycle.text import plain_block, plain_text

MARKS = re.compile(
    r"[\\`*\[\]<>|~&$@]"  # wherever they stand
    r"|(?<![^\W_])_|_(?![^\W_])"  # not inside a word
    r"|:(?=//)|(?<=www)\."  # addresses that would become links
    r"|^[#+=-]"  # where a line begins
)
NUMBERED = re.compile(r"^(\d+)(?=[.)])")
SHOWN_FILES = 12


def markdown(outcome: Outcome, details: Details, aps: str) -> str:
    """Return the whole report; `aps` begins each command."""
    story = story_of(outcome, details, aps)
    parts = (
        _opening(outcome, story),
        _waiting(story),
        _landed(story),
        _harmful(story),
        _section("How the harm was found", (f"- {ticked(line)}" for line in story.search)),
        _section("Worth knowing", (f"- {escape(note)}" for note in story.notes)),
        _rules(story),
    )
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def escape(text: str) -> str:
    """Return `text` on one line so that Markdown shows it as it is."""
    return _marked(plain_text(text))


def ticked(text: str) -> str:
    """Return `text`, escaped, with what stands in pairs of backticks as code."""
    line = plain_text(text)
    parts = line.split("`")
    if len(parts) % 2 == 0 or "|" in line:  # a bar in a code span would part the cells of a table
        return _marked(line)
    return "".join(code(part) if n % 2 else _marked(part) for n, part in enumerate(parts))


def _marked(line: str) -> str:
    return NUMBERED.sub(r"\1\\", MARKS.sub(r"\\\g<0>", line))


def code(text: str) -> str:
    """Return `text` as a code span, for anywhere but a table."""
    line = plain_text(text)
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if len(ticks) > 1 else ""
    return f"{ticks}{space}{line or ' '}{space}{ticks}"


def fenced(text: str, language: str = "text") -> str:
    """Return `text` as a code block."""
    block = plain_block(text)
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block)), default=0))
    return f"{ticks}{language}\n{block}\n{ticks}"


def _section(heading: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    if told:
        yield from (f"## {heading}", "", *told, "")


def _opening(outcome: Outcome, story: Story) -> Iterator[str]:
    yield from (f"# {escape(story.title)}", "", escape(story.lead), "")
    yield from (f"- {name}: {value}" for name, value in story.figures)
    yield from (
        f"- Target: {code(outcome.target)}",
        f"- From {code(outcome.base)} to {code(outcome.head)}",
        f"- Findings are counted in: {', '.join(map(code, outcome.scope)) or 'nothing'}",
        "",
    )
    yield from _section("See it", _commands(story.seeing))
    yield from _section("Take it back", _commands(story.undoing))


def _commands(commands: Iterable[Command]) -> list[str]:
    return [line for c in commands for line in (f"{c.purpose}:", "", fenced(c.line, "sh"), "")][:-1]


def _waiting(story: Story) -> Iterator[str]:
    lines: list[str] = []
    for item in story.waiting:
        lines += [*_heading(item), f"Waits for: {escape(item.needs)}", "", *_facts(item), ""]
        lines += [*_commands(item.commands), ""]
    yield from _section("Waiting for you", lines[:-1])


def _landed(story: Story) -> Iterator[str]:
    if not story.landed:
        return
    lines = ["| Improvement | Rule | Findings | Risk | Files | Commit |", "|---|---|---|---|---|---|"]
    for item in story.landed:
        one = item.result
        lines.append(
            f"| {ticked(one.title)} | {escape(one.rule)} | {item.findings} | {escape(item.detail.risk)} "
            f"| {len(one.files)} | {escape((one.commit or '')[:12])} |"
        )
    lines.append("")
    for item in story.landed:
        lines += [*_heading(item), *_facts(item), ""]
    yield from _section("What landed, and why it is safe", lines[:-1])


def _heading(item: Item) -> tuple[str, ...]:
    one = item.result
    return (f"### {ticked(one.title)} ({escape(one.rule)})", "", f"{code(one.id)}: {item.standing.value}", "")


def _facts(item: Item) -> Iterator[str]:
    one, detail = item.result, item.detail
    if detail.why:
        yield f"- Why: {ticked(detail.why)}"
    if detail.risk:
        yield f"- Risk: {escape(detail.risk)}. {escape(' '.join(detail.risk_reasons))}"
    if one.commit:
        yield f"- Commit: {code(one.commit)}"
    yield f"- Files: {_listed(one.files)}"
    if detail.left_out:
        yield f"- Left out: {_listed(detail.left_out)}"
    if detail.kept:
        yield f"- Asked to be taken back, and kept: {escape(detail.kept)}"
    if detail.gates:
        yield f"- Gates ({escape(item.clean)}):"
        for gate in detail.gates:
            sign = "" if gate.passed else "not passed: "
            yield f"  - {escape(gate.gate.replace('_', ' '))}: {sign}{escape(gate.evidence)}"


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - SHOWN_FILES
    shown = ", ".join(code(name) for name in names[:SHOWN_FILES])
    return f"{shown} and {more} more" if more > 0 else shown


def _harmful(story: Story) -> Iterator[str]:
    lines: list[str] = []
    for item in story.harmful:
        lines += [*_heading(item), *_harms(item), ""]
    yield from _section("What was left out or refused, and what it would have broken", lines[:-1])


def _harms(item: Item) -> Iterator[str]:
    if not item.detail.harms and item.result.reason:
        yield escape(item.result.reason)
    for number, harm in enumerate(item.detail.harms):
        yield from ("",) * (number > 0)
        yield from (escape(harm.reason), "")
        yield f"Left out: {_listed(harm.parts) or 'all of it'}"
        for failure in harm.failures:
            yield from ("", code(failure.test) if failure.test else "The suite's own words:", "")
            yield fenced(failure.text)


def _rules(story: Story) -> Iterator[str]:
    rows = [f"| {escape(rule)} | {before} | {after} |" for rule, before, after in story.rules]
    head = ["| Rule | Before | After |", "|---|---|---|"]
    yield from _section("Findings by rule", [*head, *rows] if rows else ())
