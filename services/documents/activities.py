"""What each role does in an improvement, and how much of it is done: derived from the facts alone."""

from events.improvement import Improvement
from schemas.aps import Activity, Handoff, Process, Role, Task
from schemas.aps_vocabulary import Phase
from schemas.improvement import Status

ROLES: dict[str, str] = {
    "PM_Agent": "Finds what is worth improving, writes the requirements and the scenarios",
    "Architect_Agent": "Draws the modules that are touched and classes the risk",
    "Developer_Agent": "Writes the change as one commit",
    "QA_Agent": "Proves the change, or refuses it with a bug report",
    "DevOps_Agent": "Approves by policy and risk, watches, asks to take a change back",
    "Deployer": "Puts the change on the release branch and takes it back",
}
HANDOFFS: dict[Phase, tuple[str, str, tuple[str, ...]]] = {
    Phase.REQUIREMENTS: (
        "PM_Agent",
        "Architect_Agent",
        ("The requirements are written", "The scenarios are written and can be executed"),
    ),
    Phase.ARCHITECTURE: (
        "Architect_Agent",
        "Developer_Agent",
        ("The component view of the touched modules is drawn", "The risk class is given with its reasons"),
    ),
    Phase.IMPLEMENTATION: (
        "Developer_Agent",
        "QA_Agent",
        ("The change is one commit on its base", "Tests were added, or the reason why none are needed"),
    ),
    Phase.TEST_RESULTS: (
        "QA_Agent",
        "DevOps_Agent",
        ("Every gate passed with evidence", "Every scenario passed", "Commit and tree are named"),
    ),
    Phase.BUG_REPORT: (
        "QA_Agent",
        "Developer_Agent",
        ("The bug report names what broke", "The parts to leave out are named"),
    ),
    Phase.DEPLOYMENT: (
        "Deployer",
        "PM_Agent",
        ("The commit that was approved stands on the release branch",),
    ),
}
S = Status
FAILED = (S.DECLINED, S.ABANDONED, S.DEPLOYMENT_FAILED, S.ROLLED_BACK)


def handoff(phase: Phase, state: Improvement) -> Handoff:
    """Return who hands over to whom after `phase`; a change that is approved goes to the Deployer."""
    if phase is Phase.DEPLOYMENT and state.status is Status.APPROVED:
        criteria = ("The commit that was proven is approved",)
        return Handoff(current_agent="DevOps_Agent", next_agent="Deployer", handoff_criteria=criteria)
    current, following, criteria_of_phase = HANDOFFS[phase]
    return Handoff(current_agent=current, next_agent=following, handoff_criteria=criteria_of_phase)


def roles() -> tuple[Role, ...]:
    """Return all roles."""
    return tuple(Role(name=name, description=text) for name, text in ROLES.items())


def change_stands(state: Improvement) -> bool:
    """Whether there is a change that was not refused since."""
    refused = state.refusals[-1].attempt if state.refusals else 0
    return state.change is not None and state.change.attempt > refused


def activities(state: Improvement) -> tuple[Activity, ...]:
    """Return one activity a phase, its tasks completed or pending as the facts say."""
    specified, designed, changed = (
        state.requirements is not None,
        state.design is not None,
        change_stands(state),
    )
    proven = state.verdict is not None
    decision = {"Record_Decision": True} if state.design and state.design.decision else {}
    return (
        _activity(
            "Requirement_Analysis",
            "PM_Agent",
            {
                "Find_Places": state.discovered is not None,
                "Write_Requirements": specified,
                "Write_Scenarios": specified,
            },
        ),
        _activity(
            "System_Design",
            "Architect_Agent",
            {"Draw_Component_View": designed, "Class_Risk": designed, **decision},
        ),
        _activity(
            "Implementation", "Developer_Agent", {"Write_Change": changed, "Account_For_Tests": changed}
        ),
        _activity(
            "Quality_Assurance",
            "QA_Agent",
            {"Run_Suite": proven, "Check_Gates": proven, "Execute_Scenarios": proven},
        ),
        _activity("Approval", "DevOps_Agent", {"Approve_Change": state.approval is not None}),
        _activity("Deployment", "Deployer", {"Deploy_Change": state.deployed is not None}),
    )


def _activity(name: str, assignee: str, tasks: dict[str, bool]) -> Activity:
    done = sum(tasks.values())
    status = "completed" if done == len(tasks) else "in_progress" if done else "pending"
    entries = tuple(Task(name=task, status="completed" if ok else "pending") for task, ok in tasks.items())
    return Activity(name=name, assignee=assignee, status=status, tasks=entries)


def reason_of(state: Improvement) -> str:
    """Return why the improvement ended badly or stands still; empty when neither is so."""
    if state.blocked is not None:
        return f"blocked: {state.blocked.reason}; needs {state.blocked.needs}"
    return state.reason if state.status in FAILED else ""


def process_of(id: str, state: Improvement) -> Process:
    """Return the process without what only some phases show."""
    if state.discovered is None or state.status is None:
        raise ValueError(f"the improvement {id} has not been discovered")
    return Process(
        name=state.discovered.title,
        id=id,
        description=state.discovered.why,
        status=state.status.value,
        reason=reason_of(state),
        created_at=state.discovered_at.isoformat() if state.discovered_at else "",
        roles=roles(),
        activities=activities(state),
    )
