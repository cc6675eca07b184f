"""The facts of an improvement as parts of its documents."""

from collections.abc import Iterator

from events.improvement import Improvement
from events.improvement_facts import (
    ArchitectureDesigned,
    ChangeImplemented,
    ChangeRefuted,
    ChangeValidated,
    Discovered,
)
from schemas.aps import (
    Architecture,
    Artifact,
    BugReport,
    Change,
    Component,
    Deployment,
    Discovery,
    Gate,
    LeftOutPart,
    Scenario,
    Step,
    Verdict,
)
from schemas.aps_vocabulary import Phase
from schemas.artefacts import ArtefactRef
from schemas.improvement import LeftOut, ScenarioResult
from services.documents.features import step_type


def discovery(fact: Discovered, rank: int) -> Discovery:
    """Return what was found; `rank` is the present one."""
    return Discovery(
        target=fact.target,
        base=fact.base,
        source=fact.source,
        rule=fact.rule,
        category=fact.category,
        why=fact.why,
        expected=fact.expected,
        rank=rank,
        files=fact.files,
    )


def architecture(id: str, fact: ArchitectureDesigned) -> Architecture:
    """Return the touched components and the risk."""
    return Architecture(
        process_id=id,
        agent="Architect_Agent",
        risk=fact.risk.value,
        reasons=fact.reasons,
        components=tuple(
            Component(
                name=part.module,
                path=part.path,
                touched=part.touched,
                fan_in=part.fan_in,
                imports=part.imports,
            )
            for part in fact.components
        ),
    )


def change(fact: ChangeImplemented) -> Change:
    """Return the Developer's commit."""
    return Change(
        attempt=fact.attempt,
        base=fact.base,
        commit=fact.commit,
        tree=fact.tree,
        fixed=fact.fixed,
        remaining=fact.remaining,
        tests=fact.tests,
        files=fact.files,
    )


def left_out(parts: tuple[LeftOut, ...]) -> tuple[LeftOutPart, ...]:
    """Return the parts done without."""
    return tuple(
        LeftOutPart(
            path=part.path,
            scope=part.site.scope if part.site else "",
            text=part.site.text if part.site else "",
            reason=part.reason,
        )
        for part in parts
    )


def _outcome(passed: bool) -> str:
    return "passed" if passed else "failed"


def executed(results: tuple[ScenarioResult, ...]) -> tuple[Scenario, ...]:
    """Return executed scenarios with outcome and evidence of each step."""
    return tuple(
        Scenario(
            name=result.name or "unnamed",
            status=_outcome(result.passed),
            steps=tuple(
                Step.model_validate(
                    {
                        "type": step_type(step.keyword),
                        "description": step.text,
                        "outcome": _outcome(step.passed),
                        "evidence": step.evidence,
                    }
                )
                for step in result.steps
            ),
        )
        for result in results
    )


def verdict(id: str, fact: ChangeValidated, at: str) -> Verdict:
    """Return what was proven, and how."""
    return Verdict(
        process_id=id,
        agent="QA_Agent",
        timestamp=at,
        status="passed",
        batch=fact.batch,
        parent=fact.parent,
        commit=fact.commit,
        tree=fact.tree,
        fixed=fact.fixed,
        files=fact.files,
        left_out=left_out(fact.left_out),
        gates=tuple(
            Gate(
                gate=gate.gate,
                version=gate.version,
                status=_outcome(gate.passed),
                evidence=gate.evidence,
                artefact=address(gate.artefact) if gate.artefact else "",
            )
            for gate in fact.gates
        ),
        scenarios=executed(fact.scenarios),
    )


def bug_report(id: str, fact: ChangeRefuted, title: str, at: str) -> BugReport:
    """Return why the change was refused."""
    return BugReport(
        process_id=id,
        agent="QA_Agent",
        timestamp=at,
        title=title,
        batch=fact.batch,
        attempt=fact.attempt,
        reason=fact.reason,
        nothing_left=fact.nothing_left,
        leave_out=left_out(fact.leave_out),
    )


def deployment(id: str, state: Improvement) -> Deployment:
    """Return where the change stands, as far as it came."""
    part = Deployment(process_id=id, approval=state.approval.reason if state.approval else "")
    updates: dict[str, object] = {}
    if landed := state.deployed:
        fields = ("deployment", "branch", "commit", "tree", "partly")
        updates |= {name: getattr(landed, name) for name in fields}
    if benefit := state.benefit:
        updates |= {"benefit": benefit.measure, "before": benefit.before, "after": benefit.after}
    if gone := state.rolled_back:
        updates |= {"rolled_back": f"{gone.method}: {gone.commit}"}
    return part.model_copy(update=updates)


def address(ref: ArtefactRef) -> str:
    """Return the path of a stored artefact in a document."""
    return f"artefact:{ref.sha256}"


def artifacts(phase: Phase, state: Improvement) -> tuple[Artifact, ...]:
    """Return the artefacts handed over with `phase`: its own first, then the documents before it."""
    return tuple(
        Artifact(
            path=address(ref),
            type=kind,
            status="completed",
            name=ref.name,
            media_type=ref.media_type,
            size=ref.size,
        )
        for kind, ref in _handed_over(phase, state)
        if ref is not None
    )


def _handed_over(phase: Phase, state: Improvement) -> Iterator[tuple[str, ArtefactRef | None]]:
    needs, design, written, proof = state.requirements, state.design, state.change, state.verdict
    match phase:
        case Phase.REQUIREMENTS:
            yield "findings", state.discovered.sites if state.discovered else None
            yield "scenarios", needs.feature if needs else None
        case Phase.ARCHITECTURE:
            yield "architecture", design.view if design else None
            yield "decision", design.decision if design else None
            yield "requirements", needs.document if needs else None
        case Phase.IMPLEMENTATION:
            yield "code", written.patch if written else None
            yield "recipe", written.recipe if written else None
            yield "scenarios", needs.feature if needs else None
            yield "architecture", design.document if design else None
        case Phase.TEST_RESULTS:
            yield "test_results", proof.report if proof else None
            yield from ((gate.gate, gate.artefact) for gate in (proof.gates if proof else ()))
            yield "implementation", written.document if written else None
        case Phase.BUG_REPORT:
            yield "bug_report", state.refusals[-1].bug_report if state.refusals else None
            yield "code", written.patch if written else None
        case Phase.DEPLOYMENT:
            yield "test_results", proof.document if proof else None
