"""The parts of GitHub's payloads that are read; all else of them is left alone."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
Number = Annotated[int, Field(ge=0, lt=1 << 53)]


class Part(BaseModel):
    """A part of a payload, which holds more than is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class User(Part):
    """Who did something; apps are of the type Bot."""

    login: str
    type: str = "User"

    @property
    def is_person(self) -> bool:
        """Whether it is no app."""
        return self.type == "User" and not self.login.endswith("[bot]")


class Repository(Part):
    """The repository it happened in."""

    full_name: str
    default_branch: str = ""


class Issue(Part):
    """An issue, or a pull request where it is told as one."""

    number: Number
    title: str
    body: str | None = None
    html_url: str
    user: User
    author_association: str = "NONE"
    pull_request: Part | None = None


class Label(Part):
    """A label."""

    name: str


class Issues(Part):
    """The event `issues`."""

    action: str
    issue: Issue
    sender: User
    repository: Repository
    label: Label | None = None


class Comment(Part):
    """A comment on an issue."""

    body: str
    html_url: str
    user: User
    author_association: str = "NONE"


class IssueComment(Part):
    """The event `issue_comment`."""

    action: str
    issue: Issue
    comment: Comment
    sender: User
    repository: Repository


class Suite(Part):
    """The check suite a check run belongs to."""

    head_branch: str | None = None


class Output(Part):
    """What a check said."""

    title: str | None = None
    summary: str | None = None
    text: str | None = None


class Check(Part):
    """A run of a check."""

    name: str
    conclusion: str | None = None
    html_url: str | None = None
    head_sha: Sha
    check_suite: Suite
    output: Output = Output()


class CheckRun(Part):
    """The event `check_run`."""

    action: str
    check_run: Check
    repository: Repository


class Signer(Part):
    """Who wrote or committed something."""

    email: str | None = None


class Commit(Part):
    """A commit, as a push and a workflow's run tell it."""

    message: str = ""
    committer: Signer = Signer()


class Run(Part):
    """A run of a workflow."""

    name: str | None = None
    display_title: str | None = None
    conclusion: str | None = None
    html_url: str
    head_sha: Sha
    head_branch: str | None = None
    head_commit: Commit | None = None


class WorkflowRun(Part):
    """The event `workflow_run`."""

    action: str
    workflow_run: Run
    repository: Repository


class Push(Part):
    """The event `push`."""

    ref: str
    deleted: bool = False
    commits: tuple[Commit, ...] = ()
    head_commit: Commit | None = None
    repository: Repository


class Advice(Part):
    """What is known of a weakness."""

    ghsa_id: str
    summary: str = ""
    description: str | None = None


class Alert(Part):
    """An alert of Dependabot's."""

    number: Number
    html_url: str
    security_advisory: Advice


class DependabotAlert(Part):
    """The event `dependabot_alert`."""

    action: str
    alert: Alert
    repository: Repository


class RepositoryAdvice(Advice):
    """An advisory about the repository itself."""

    html_url: str


class RepositoryAdvisory(Part):
    """The event `repository_advisory`."""

    action: str
    repository_advisory: RepositoryAdvice
    repository: Repository
