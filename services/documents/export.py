"""The whole process as one document: its state, every claim, every handoff, every verdict.

Everything but the state comes from the timeline, so that an earlier attempt is shown as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from events.catalogue import read_fact
from events.envelope import Envelope
from events.fact import Fact, Stamp
from events.improvement import CLAIMED, IMPROVEMENT, Improvement
from events.improvement_facts import (
    ArchitectureDesigned,
    ChangeApproved,
    ChangeDeployed,
    ChangeImplemented,
    ChangeRefuted,
    ChangeRolledBack,
    ChangeValidated,
    DeploymentFailed,
    RequirementsSpecified,
    Retried,
)
from events.lease import Claim as Lease
from events.lease import WorkClaimed, WorkReleased, WorkRenewed
from events.store import Recorded
from schemas.aps import BugReport, Claim, Document, Message, Verdict
from schemas.aps_vocabulary import Phase
from services.documents import evidence
from services.documents.activities import process_of
from services.documents.features import scenarios
from services.documents.render import claim_of, message_of, requirements
from services.documents.strict import write

HANDOFF_FACTS: dict[type[Fact], Phase] = {
    RequirementsSpecified: Phase.REQUIREMENTS,
    ArchitectureDesigned: Phase.ARCHITECTURE,
    ChangeImplemented: Phase.IMPLEMENTATION,
    ChangeValidated: Phase.TEST_RESULTS,
    ChangeRefuted: Phase.BUG_REPORT,
    ChangeApproved: Phase.DEPLOYMENT,
    ChangeDeployed: Phase.DEPLOYMENT,
    DeploymentFailed: Phase.DEPLOYMENT,
    ChangeRolledBack: Phase.DEPLOYMENT,
}


@dataclass(frozen=True)
class History:
    """What a timeline told so far."""

    state: Improvement = IMPROVEMENT.initial
    claims: tuple[Claim, ...] = ()
    messages: tuple[Message, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    bug_reports: tuple[BugReport, ...] = ()


def process_document(
    id: str,
    state: Improvement,
    timeline: Sequence[Recorded],
    feature: str = "",
) -> str:
    """Return the YAML of the whole process. `timeline` holds all events of the improvement, oldest first.

    `feature` is the Gherkin text, shown until the scenarios were executed. Raises `UnknownFact` for an
    event this version does not know.
    """
    history = History()
    for recorded in timeline:
        history = _told(id, history, recorded.envelope)
    ran = evidence.executed(state.verdict.scenarios) if state.verdict else scenarios(feature)
    process = process_of(id, state).model_copy(
        update={
            "updated_at": timeline[-1].envelope.time if timeline else "",
            "discovery": evidence.discovery(state.discovered, state.rank) if state.discovered else None,
            "requirements": requirements(state),
            "scenarios": ran,
            "change": evidence.change(state.change) if state.change else None,
        }
    )
    return write(
        Document(
            process=process,
            architecture=(evidence.architecture(id, state.design),) if state.design else (),
            test_results=history.verdicts,
            bug_report=history.bug_reports,
            deployment=(evidence.deployment(id, state),) if state.approval else (),
            claim=history.claims,
            message=history.messages,
        )
    )


def _told(id: str, history: History, envelope: Envelope) -> History:
    fact = read_fact(envelope)
    stamp = Stamp(envelope.sequence, envelope.at, envelope.actor)
    before = history.state
    state = IMPROVEMENT.evolve(before, fact, stamp)
    history = replace(history, state=state, claims=_claims(id, history.claims, before.claim, fact, envelope))
    title = before.discovered.title if before.discovered else ""
    if isinstance(fact, ChangeValidated):
        proof = evidence.verdict(id, fact, envelope.time)
        history = replace(history, verdicts=(*history.verdicts, proof))
    if isinstance(fact, ChangeRefuted):
        report = evidence.bug_report(id, fact, title, envelope.time)
        history = replace(history, bug_reports=(*history.bug_reports, report))
    phase = HANDOFF_FACTS.get(type(fact))
    if phase is None:
        return history
    return replace(history, messages=(*history.messages, message_of(phase, id, state, envelope.at)))


def _claims(
    id: str,
    claims: tuple[Claim, ...],
    running: Lease | None,
    fact: Fact,
    envelope: Envelope,
) -> tuple[Claim, ...]:
    match fact:
        case WorkClaimed():
            taken_over = _ended(claims, "expired") if running else claims
            lease = Lease(envelope.sequence, fact.agent, fact.work, fact.lease_until, begun=envelope.at)
            return (*taken_over, claim_of(id, lease, "claimed", envelope.time))
        case WorkRenewed():
            until = {"estimated_completion": fact.lease_until.isoformat()}
            return (*claims[:-1], claims[-1].model_copy(update=until))
        case WorkReleased() | Retried():
            return _ended(claims, "released") if running else claims
        case _:
            return _ended(claims, "completed") if isinstance(fact, CLAIMED) else claims


def _ended(claims: tuple[Claim, ...], status: str) -> tuple[Claim, ...]:
    return (*claims[:-1], claims[-1].model_copy(update={"status": status}))
