"""The document of each handoff, rendered from the facts: the same state and time give the same bytes.

Rules
1. A document shows what the facts say after the handoff; a status or an outcome is never made up here.
2. A phase is rendered only once its fact is there: `NotReached` otherwise.
3. `claim` is the lease under which the phase was finished: the fact that finishes it clears it from the
   state, so whoever renders passes it along.
"""

from datetime import datetime

from events.improvement import Improvement
from events.lease import Claim as Lease
from schemas.aps import Claim, Document, Message, RequirementText, Scenario
from schemas.aps_vocabulary import Phase
from services.documents import evidence
from services.documents.activities import handoff, process_of
from services.documents.features import scenarios
from services.documents.strict import write

SUBJECTS: dict[Phase, str] = {
    Phase.REQUIREMENTS: "Requirements ready",
    Phase.ARCHITECTURE: "Design ready",
    Phase.IMPLEMENTATION: "Change ready to be tested",
    Phase.TEST_RESULTS: "Change proven",
    Phase.BUG_REPORT: "Change refused",
    Phase.DEPLOYMENT: "Deployment",
}


class NotReached(ValueError):  # noqa: N818 -- says what is missing
    """The improvement has not come to the phase that was asked for."""


def file_name(id: str, phase: Phase) -> str:
    """Return the name of a phase document."""
    return f"{id}_{phase.value}.aps.yaml"


def render(
    phase: Phase,
    id: str,
    state: Improvement,
    at: datetime,
    feature: str = "",
    claim: Lease | None = None,
) -> str:
    """Return the YAML of one handoff. `state` is the one after its fact, `feature` the Gherkin text."""
    return write(document(phase, id, state, at, feature, claim))


def document(
    phase: Phase,
    id: str,
    state: Improvement,
    at: datetime,
    feature: str = "",
    claim: Lease | None = None,
) -> Document:
    """Return the document of one handoff; raise `NotReached` before its fact."""
    _require(phase, id, state)
    process = process_of(id, state).model_copy(
        update={
            "updated_at": at.isoformat(),
            "discovery": evidence.discovery(state.discovered, state.rank) if state.discovered else None,
            "requirements": requirements(state),
            "scenarios": _scenarios(phase, state, feature),
            "change": evidence.change(state.change) if state.change and _later(phase) else None,
            "handoff": handoff(phase, state),
        }
    )
    held = (claim_of(id, claim),) if claim else ()
    parts = _parts(phase, id, state, at.isoformat())
    return parts.model_copy(
        update={"process": process, "claim": held, "message": (message_of(phase, id, state, at),)}
    )


def _later(phase: Phase) -> bool:
    return phase not in (Phase.REQUIREMENTS, Phase.ARCHITECTURE)


def _require(phase: Phase, id: str, state: Improvement) -> None:
    fact = {
        Phase.REQUIREMENTS: state.requirements,
        Phase.ARCHITECTURE: state.design,
        Phase.IMPLEMENTATION: state.change,
        Phase.TEST_RESULTS: state.verdict,
        Phase.BUG_REPORT: state.refusals or None,
        Phase.DEPLOYMENT: state.approval,
    }[phase]
    if fact is None:
        raise NotReached(f"the improvement {id} has not come to its {phase.value}")


def requirements(state: Improvement) -> tuple[RequirementText, ...]:
    """Return what must hold afterwards."""
    known = state.requirements.requirements if state.requirements else ()
    return tuple(RequirementText(id=entry.id, text=entry.text) for entry in known)


def _scenarios(phase: Phase, state: Improvement, feature: str) -> tuple[Scenario, ...]:
    if phase in (Phase.TEST_RESULTS, Phase.DEPLOYMENT) and state.verdict:
        return evidence.executed(state.verdict.scenarios)
    return scenarios(feature)


def _parts(phase: Phase, id: str, state: Improvement, at: str) -> Document:
    design = (evidence.architecture(id, state.design),) if state.design else ()
    match phase:
        case Phase.REQUIREMENTS:
            return Document()
        case Phase.ARCHITECTURE | Phase.IMPLEMENTATION:
            return Document(architecture=design)
        case Phase.TEST_RESULTS:
            return Document(test_results=(evidence.verdict(id, state.verdict, at),) if state.verdict else ())
        case Phase.BUG_REPORT:
            title = state.discovered.title if state.discovered else ""
            return Document(bug_report=(evidence.bug_report(id, state.refusals[-1], title, at),))
        case Phase.DEPLOYMENT:
            return Document(deployment=(evidence.deployment(id, state),))


def claim_of(id: str, lease: Lease, status: str = "completed", at: str = "") -> Claim:
    """Return a lease as a claim; `at` is when it was taken."""
    return Claim(
        agent_id=lease.agent,
        process_id=id,
        work=lease.work,
        claimed_at=at,
        status=status,
        estimated_completion=lease.lease_until.isoformat(),
    )


def message_of(phase: Phase, id: str, state: Improvement, at: datetime) -> Message:
    """Return what the role that finished `phase` tells the next."""
    turn = handoff(phase, state)
    return Message.model_validate(
        {
            "from": turn.current_agent,
            "to": turn.next_agent,
            "timestamp": at.isoformat(),
            "subject": f"{SUBJECTS[phase]}: {id}",
            "content": _content(phase, state),
            "artifacts": evidence.artifacts(phase, state),
        }
    )


def _content(phase: Phase, state: Improvement) -> str:
    found, design, change, proof = state.discovered, state.design, state.change, state.verdict
    match phase:
        case Phase.REQUIREMENTS if found:
            return f"{found.title}: {found.expected} findings in {len(found.files)} files. {found.why}"
        case Phase.ARCHITECTURE if design:
            touched = ", ".join(part.module for part in design.components if part.touched)
            return f"Risk {design.risk.value}: {'; '.join(design.reasons)}. Touched: {touched}."
        case Phase.IMPLEMENTATION if change:
            counts = f"fixes {change.fixed}, {change.remaining} remain"
            return f"Commit {change.commit} {counts}. Tests: {change.tests}"
        case Phase.TEST_RESULTS if proof:
            gates = ", ".join(gate.gate for gate in proof.gates)
            proven = f"Commit {proof.commit}, tree {proof.tree}"
            return f"{proven}: passed {gates}. {len(proof.left_out)} parts left out."
        case Phase.BUG_REPORT:
            return state.refusals[-1].reason
        case _:
            return _deployed(state)


def _deployed(state: Improvement) -> str:
    if state.rolled_back:
        return f"Taken back: {state.reason}. Commit {state.rolled_back.commit} stands now."
    if state.deployed:
        how = "in part" if state.deployed.partly else "whole"
        return f"Commit {state.deployed.commit} stands {how} on {state.deployed.branch}."
    if state.reason and state.status not in (None, "approved"):
        return f"Not deployed: {state.reason}"
    return f"Commit {state.approval.commit} is approved: {state.approval.reason}" if state.approval else ""
