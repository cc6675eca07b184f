"""What a delivery of GitHub's means. Pure.

Rules
1. A request's words are ours or those of somebody who may write to the repository; what anybody else wrote is
   material handed over with it.
2. An issue asks for something when somebody who may write gave it the label: a label that came with the form
   of a stranger's issue counts for nothing.
3. A comment asks with `/aps improve` and words, by a person who may write; an app's never does, so that no
   two programs keep each other going.
4. What tells of our own branch, or of commits that are all ours, never asks for anything: there the loop
   ends.
5. A failed check asks where it is of the repository's own branch; a pull request's is its author's affair.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.context import ContextKind
from schemas.delivery import Outcome
from services.asking.context import BYTES, Handed
from services.changes.message import AUTHOR
from services.changes.release import BRANCH, REF
from services.cycle.wording import why_unfit
from services.discovery.meaning import Meaning, own, recorded
from services.discovery.payloads import (
    CheckRun,
    Commit,
    DependabotAlert,
    Issue,
    IssueComment,
    Issues,
    Part,
    Push,
    RepositoryAdvisory,
    WorkflowRun,
)

WRITERS = ("OWNER", "MEMBER", "COLLABORATOR")
FAILED = ("failure", "timed_out", "startup_failure")
COMMAND = re.compile(r"^/aps[ \t]+improve\b[ \t]*(.*)", re.MULTILINE | re.DOTALL)
MENTIONED = re.compile(r"^/aps\b", re.MULTILINE)
HEADS = "refs/heads/"
PartT = TypeVar("PartT", bound=Part)


def meaning(event: str, payload: Mapping[str, Any], label: str) -> Meaning:
    """Return what a delivery means where `label` is the one that makes an issue a request."""
    found = READERS.get(event)
    if found is None:
        return recorded(f"nothing is done about the event {event}")
    try:
        return found(payload, label)
    except ValidationError as odd:
        where = ".".join(map(str, odd.errors()[0]["loc"]))
        return recorded(f"its payload is not as GitHub describes it, at {where[:100]}")


def _issues(payload: Mapping[str, Any], label: str) -> Meaning:
    given = Issues.model_validate(payload)
    number = given.issue.number
    if given.action != "labeled" or given.label is None or given.label.name != label:
        return recorded(f"issue {number} was not given the label {label}")
    by_author = given.sender.login == given.issue.user.login
    if by_author and given.issue.author_association not in WRITERS:
        return recorded(f"the label {label} came with issue {number}, whose author may not write")
    return Meaning(
        Outcome.REQUESTED,
        f"issue {number} was given the label {label}",
        f"Do what issue {number} of this project asks for, as far as it is about this project's code.",
        (_issue(given.issue),),
        once=True,
    )


def _issue_comment(payload: Mapping[str, Any], _: str) -> Meaning:
    given = IssueComment.model_validate(payload)
    if given.action != "created" or not MENTIONED.search(given.comment.body):
        return recorded("the comment holds no command")
    if not (given.comment.user.is_person and given.sender.is_person):
        return recorded("the command is an app's")
    if given.comment.author_association not in WRITERS:
        return recorded("the command is of somebody who may not write to the repository")
    found = COMMAND.search(given.comment.body)
    if found is None:
        return recorded("the command is not known; there is: /aps improve WORDS")
    words = found[1].replace("\r\n", "\n").strip()
    number = given.issue.number
    words = words or f"Do what issue {number} of this project asks for."
    if unfit := why_unfit(words):
        return recorded(f"the command cannot be followed: {unfit}")
    asked = Handed(ContextKind.COMMENT, given.comment.html_url[:300], given.comment.body)
    context = (_issue(given.issue), _short(asked))
    return Meaning(Outcome.REQUESTED, f"a comment on issue {number} commands it", words, context)


def _check_run(payload: Mapping[str, Any], _: str) -> Meaning:
    given = CheckRun.model_validate(payload)
    check = given.check_run
    texts = (check.name, check.output.title, check.output.summary, check.output.text)
    context = _handed(ContextKind.CHECK, check.html_url or "check_run", *texts)
    return _failed(
        given.action,
        check.conclusion,
        check.head_sha,
        check.check_suite.head_branch,
        given.repository.default_branch,
        context,
    )


def _workflow_run(payload: Mapping[str, Any], _: str) -> Meaning:
    given = WorkflowRun.model_validate(payload)
    run = given.workflow_run
    if run.head_commit is not None and _is_ours(run.head_commit):
        return own("the workflow ran on a commit of our own")
    message = run.head_commit.message if run.head_commit else ""
    context = _handed(ContextKind.CHECK, run.html_url, run.name, run.display_title, message)
    return _failed(
        given.action, run.conclusion, run.head_sha, run.head_branch, given.repository.default_branch, context
    )


def _failed(
    action: str, conclusion: str | None, commit: str, branch: str | None, default: str, context: Handed
) -> Meaning:
    if branch == BRANCH:
        return own("the check ran on our own branch")
    if action != "completed" or conclusion not in FAILED:
        return recorded("no check failed")
    if branch is None or branch != default:
        return recorded("the check that failed is not of the repository's default branch")
    words = f"Find out why checks fail at commit {commit}, and mend the cause in this project's code."
    said = f"a check failed at commit {commit}"
    return Meaning(Outcome.REQUESTED, said, words, (context,), branch=branch, once=True)


def _push(payload: Mapping[str, Any], _: str) -> Meaning:
    given = Push.model_validate(payload)
    if given.ref == REF:
        return own(f"it is a push to our own branch {BRANCH}")
    if given.deleted or not given.ref.startswith(HEADS):
        return recorded("it is no push of commits to a branch")
    commits = given.commits or ((given.head_commit,) if given.head_commit else ())
    if commits and all(_is_ours(commit) for commit in commits):
        return own("every commit that was pushed is our own")
    branch = given.ref.removeprefix(HEADS)
    return Meaning(Outcome.REQUESTED, "commits of others were pushed", branch=branch)


def _dependabot_alert(payload: Mapping[str, Any], _: str) -> Meaning:
    given = DependabotAlert.model_validate(payload)
    if given.action not in ("created", "reopened", "reintroduced"):
        return recorded("the alert asks for nothing")
    alert = given.alert
    advice = alert.security_advisory
    context = _handed(ContextKind.WEBHOOK, alert.html_url, advice.ghsa_id, advice.summary, advice.description)
    words = f"Mend what alert {alert.number} of Dependabot's warns of, as far as this project's code can."
    return Meaning(Outcome.REQUESTED, f"Dependabot's alert {alert.number}", words, (context,), once=True)


def _repository_advisory(payload: Mapping[str, Any], _: str) -> Meaning:
    given = RepositoryAdvisory.model_validate(payload)
    if given.action != "published":  # anybody may report one
        return recorded("the advisory is not published")
    advice = given.repository_advisory
    context = _handed(
        ContextKind.WEBHOOK, advice.html_url, advice.ghsa_id, advice.summary, advice.description
    )
    words = "Mend the weakness that the advisory about this project describes, in its code."
    return Meaning(Outcome.REQUESTED, "an advisory was published", words, (context,))


def _is_ours(commit: Commit) -> bool:
    return commit.committer.email == AUTHOR.email


def _issue(issue: Issue) -> Handed:
    return _handed(ContextKind.ISSUE, issue.html_url, issue.title, issue.body)


def _handed(kind: ContextKind, where: str, *texts: str | None) -> Handed:
    text = "\n\n".join(one.strip() for one in texts if one and one.strip())
    return _short(Handed(kind, where[:300] or kind.value, text or "(nothing more was said)"))


def _short(handed: Handed) -> Handed:
    text = handed.text.encode("utf-8", "replace")[:BYTES].decode("utf-8", "ignore")
    return Handed(handed.kind, handed.where, text)


READERS: dict[str, Callable[[Mapping[str, Any], str], Meaning]] = {
    "issues": _issues,
    "issue_comment": _issue_comment,
    "check_run": _check_run,
    "workflow_run": _workflow_run,
    "push": _push,
    "dependabot_alert": _dependabot_alert,
    "repository_advisory": _repository_advisory,
}
