"""The APS document: what a process, a handoff message, a claim and their evidence look like as YAML.

Rules
1. Reading is tolerant: unknown keys are kept, a word outside its vocabulary is kept, never guessed.
2. Writing is strict: `additionalProperties` is false and every vocabulary closed in the JSON Schema.
3. A status of another spelling is mapped by `STATUS_ALIASES` alone, in `schemas.aps_vocabulary`.
4. `message`, `claim`, `test_results`, `bug_report`, `architecture` and `deployment` stand beside
   `process`, as one mapping or as a list of them.
"""

from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.aps_vocabulary import CLAIM_WORDS, OUTCOME_WORDS, PROCESS_WORDS, RISK_WORDS, WORK_WORDS
from schemas.improvement import Status

T = TypeVar("T")


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _one_or_many(schema: dict[str, Any]) -> None:
    items = schema["items"]
    schema.clear()
    schema["anyOf"] = [items, {"type": "array", "items": items}]


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
OneOrMany = Annotated[tuple[T, ...], BeforeValidator(_as_list), Field(json_schema_extra=_one_or_many)]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Name = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A part of a document: immutable; keys it does not know are kept."""

    model_config = ConfigDict(
        frozen=True, extra="allow", validate_by_name=True, validate_by_alias=True, coerce_numbers_to_str=True
    )
    shorthand: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        """Take a bare text for the field named by `shorthand`."""
        return {cls.shorthand: value} if cls.shorthand and isinstance(value, str) else value


class Role(Part):
    """Who takes part, and for what."""

    shorthand = "name"
    name: Name
    description: str = ""


class Task(Part):
    """A piece of an activity."""

    shorthand = "name"
    name: Name
    description: str = ""
    status: Annotated[str, WORK_WORDS] = ""


class Activity(Part):
    """What one role does in one phase; named by `name` or `id`."""

    name: str = ""
    id: str = ""
    description: str = ""
    assignee: str = ""
    status: Annotated[str, WORK_WORDS] = ""
    tasks: tuple[Task, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> "Activity":
        if not (self.name or self.id):
            raise ValueError("an activity needs a name or an id")
        return self


def _capital(value: object) -> object:
    return value.strip().capitalize() if isinstance(value, str) else value


class Step(Part):
    """One Gherkin step; where it was executed, with its outcome and the evidence."""

    type: Annotated[Literal["Given", "When", "Then", "And", "But"], BeforeValidator(_capital)]
    description: str
    outcome: Annotated[str, OUTCOME_WORDS] = ""
    evidence: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_line(cls, value: object) -> object:
        """Take a line such as `Given a file` for a step."""
        if not isinstance(value, str):
            return value
        keyword, _, text = value.strip().partition(" ")
        return {"type": keyword, "description": text}


class Scenario(Part):
    """Behaviour by example."""

    name: Name
    description: str = ""
    status: Annotated[str, OUTCOME_WORDS] = ""
    steps: tuple[Step, ...] = ()


class DataField(Part):
    """A field of a data structure."""

    name: Name
    type: str = ""
    description: str = ""


class DataStructure(Part):
    """A record, list or other shape the process speaks of."""

    name: Name
    type: str = ""
    description: str = ""
    fields: tuple[DataField, ...] = ()


class Handoff(Part):
    """Whose turn it is, who comes next, and what must hold before."""

    current_agent: str = ""
    next_agent: str = ""
    handoff_criteria: Texts = ()


class RequirementText(Part):
    """One thing that must hold afterwards."""

    shorthand = "text"
    id: str = ""
    text: str


class Discovery(Part):
    """What was found, where, and why it matters; `expected` findings should go."""

    target: str = ""
    base: str = ""
    source: str = ""
    rule: str = ""
    category: str = ""
    why: str = ""
    expected: int | None = None
    rank: int | None = None
    files: Texts = ()


class LeftOutPart(Part):
    """A part of a change to do without; `scope` and `text` name one site, absent for a whole file."""

    shorthand = "path"
    path: str
    scope: str = ""
    text: str = ""
    reason: str = ""


class Change(Part):
    """The change as the Developer wrote it: one commit on `base`."""

    attempt: int | None = None
    base: str = ""
    commit: str = ""
    tree: str = ""
    fixed: int | None = None
    remaining: int | None = None
    tests: str = ""
    files: Texts = ()


class Process(Part):
    """A piece of work on its way through the roles."""

    name: Name
    id: str = ""
    version: str = ""
    description: str = ""
    status: Annotated[str, PROCESS_WORDS] = ""
    reason: str = ""
    created_at: Moment = ""
    updated_at: Moment = ""
    discovery: Discovery | None = None
    roles: tuple[Role, ...] = ()
    activities: tuple[Activity, ...] = ()
    requirements: tuple[RequirementText, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    data_structures: tuple[DataStructure, ...] = ()
    change: Change | None = None
    handoff: Handoff | None = None

    @property
    def known_status(self) -> Status | None:
        """The status, where it is one of ours or an alias of one."""
        return Status(self.status) if self.status in PROCESS_WORDS.words else None


class Claim(Part):
    """Who holds the work, and until when."""

    agent_id: Name
    process_id: str = ""
    work: str = ""
    claimed_at: Moment = ""
    status: Annotated[str, CLAIM_WORDS] = ""
    estimated_completion: Moment = ""


class Artifact(Part):
    """A file or a stored artefact (`artefact:<sha256>`) a message points at."""

    shorthand = "path"
    path: Name
    type: str = ""
    status: Annotated[str, WORK_WORDS] = ""
    name: str = ""
    media_type: str = ""
    size: int | None = None


class Message(Part):
    """What one role tells the next at a handoff."""

    sender: Name = Field(alias="from")
    to: Name
    timestamp: Moment = ""
    subject: str = ""
    content: str = ""
    artifacts: tuple[Artifact, ...] = ()


class Component(Part):
    """A module in the component view; `fan_in` counts the modules that import it."""

    shorthand = "name"
    name: str = ""
    description: str = ""
    path: str = ""
    touched: bool | None = None
    fan_in: int | None = None
    imports: Texts = ()


class Architecture(Part):
    """What is touched and how much a person should look."""

    process_id: str = ""
    agent: str = ""
    risk: Annotated[str, RISK_WORDS] = ""
    reasons: Texts = ()
    components: tuple[Component, ...] = ()


class Gate(Part):
    """The verdict of one gate and its evidence."""

    gate: Name
    version: str = ""
    status: Annotated[str, OUTCOME_WORDS] = ""
    evidence: str = ""
    artefact: str = ""


class Verdict(Part):
    """What QA proved, on which commit and tree."""

    process_id: str = ""
    agent: str = ""
    timestamp: Moment = ""
    status: Annotated[str, OUTCOME_WORDS] = ""
    batch: str = ""
    parent: str = ""
    commit: str = ""
    tree: str = ""
    fixed: int | None = None
    files: Texts = ()
    left_out: tuple[LeftOutPart, ...] = ()
    gates: tuple[Gate, ...] = ()
    scenarios: tuple[Scenario, ...] = ()


class BugReport(Part):
    """Why QA refused a change, and which parts the Developer is to leave out."""

    process_id: str = ""
    agent: str = ""
    timestamp: Moment = ""
    title: str = ""
    description: str = ""
    severity: str = ""
    batch: str = ""
    attempt: int | None = None
    reason: str = ""
    nothing_left: bool | None = None
    leave_out: tuple[LeftOutPart, ...] = ()
    steps_to_reproduce: Texts = ()
    expected: str = ""
    actual: str = ""


class Deployment(Part):
    """Where the change stands, who let it through, what it was worth."""

    process_id: str = ""
    approval: str = ""
    deployment: str = ""
    branch: str = ""
    commit: str = ""
    tree: str = ""
    partly: bool | None = None
    benefit: str = ""
    before: int | None = None
    after: int | None = None
    rolled_back: str = ""


class Document(Part):
    """An APS document. At least one of its parts is there."""

    process: Process | None = None
    architecture: OneOrMany[Architecture] = ()
    test_results: OneOrMany[Verdict] = ()
    bug_report: OneOrMany[BugReport] = ()
    deployment: OneOrMany[Deployment] = ()
    claim: OneOrMany[Claim] = ()
    message: OneOrMany[Message] = ()


ONE_OR_MANY = ("architecture", "test_results", "bug_report", "deployment", "claim", "message")
