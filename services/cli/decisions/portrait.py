"""Writes the dossier of an improvement for a person: plain lines, nothing in them that moves a cursor."""

from collections.abc import Iterator

from events.improvement_facts import Related
from events.lease import WorkRenewed
from projections.views.summary import summary
from schemas.improvement import GateResult, LeftOut, ScenarioResult
from services.cli.invocation import invocation
from services.cli.tables import show_lines, show_table
from services.cycle.commands import reaching
from services.cycle.text import plain_block, plain_text
from services.dossier.improvement import Dossier

MARKS = {True: "✓", False: "✗"}


def show_dossier(one: Dossier) -> None:
    """Print what the improvement is, what is behind it, what happened to it, and what can be done."""
    show_lines(
        (
            ("improvement", one.id),
            ("title", one.title),
            ("why", one.why),
            ("target", one.target),
            ("base", one.base),
            ("rule", f"{one.rule} ({one.source})"),
            ("rank", one.rank),
            ("status", one.status.value),
            ("waits", one.blocked),
            ("needs", reaching(one.needs, invocation())),
            ("reason", one.reason),
            ("risk", " ".join((one.risk, *one.risk_reasons))),
            ("findings", f"{one.fixed} of {one.expected} fixed"),
            ("files", one.files),
            ("tests", one.tests),
            ("commit", one.commit),
            ("branch", one.branch),
        )
    )
    for title, lines in _sections(one):
        if lines:
            print(f"\n{title}")
            for line in lines:
                print(line)
    print("\nWhat happened")
    rows = [
        (h.seq, h.time, h.actor.partition("@")[0], h.summary)
        for h in one.timeline
        if h.fact != WorkRenewed.name
    ]
    show_table(("SEQ", "TIME!", "BY", "WHAT"), rows)
    if one.commands:
        print("\nWhat to do with it")
        show_lines((command.purpose, command.line) for command in one.commands)
    if one.diff:
        print(f"\nThe change as written\n{plain_block(one.diff)}")


def _sections(one: Dossier) -> tuple[tuple[str, list[str]], ...]:
    return (
        ("Relations", [relation_line(fact) for fact in one.relations]),
        ("What must hold", [f"{r.id}  {plain_text(r.text)}" for r in one.requirements]),
        ("Gates", [gate_line(gate) for gate in one.gates]),
        ("Scenarios", [line for scenario in one.scenarios for line in scenario_lines(scenario)]),
        ("Scenarios, not executed yet", _unproven(one)),
        ("Left out", [f"{part_line(p)}: {plain_text(p.reason)}" for p in one.left_out_parts]),
        ("Bug reports", [line for r in one.refusals for line in plain_block(r.bug_report).splitlines()]),
        ("Components (C4, Mermaid)", plain_block(one.view).splitlines()),
        ("Decision", plain_block(one.decision).splitlines()),
    )


def _unproven(one: Dossier) -> list[str]:
    return [] if one.scenarios else plain_block(one.feature).splitlines()


def relation_line(fact: Related) -> str:
    """Return how the improvement stands to another, and who says so."""
    return plain_text(summary(fact))


def gate_line(gate: GateResult) -> str:
    """Return a gate with its verdict and evidence."""
    return f"{MARKS[gate.passed]} {gate.gate:<22}  {plain_text(gate.evidence)}"


def scenario_lines(scenario: ScenarioResult) -> Iterator[str]:
    """Yield a scenario and each of its steps with its verdict; a failed step with its evidence."""
    yield f"{MARKS[scenario.passed]} {plain_text(scenario.name)}"
    for step in scenario.steps:
        told = f"    {MARKS[step.passed]} {step.keyword.strip()} {plain_text(step.text)}"
        yield told if step.passed else f"{told}: {plain_text(step.evidence)}"


def part_line(part: LeftOut) -> str:
    """Return a part of a change: a file, or a place in it."""
    return plain_text(f"{part.path}: {part.site.text}" if part.site else part.path)
