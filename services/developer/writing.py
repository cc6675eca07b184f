"""Has an engine write a change in a work tree, and makes a commit of what it left there."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, model_validator

from events.envelope import Cause
from events.improvement import Improvement
from events.improvement_facts import Discovered
from schemas.base import Frozen
from services.asking.consulting import Consultant, Errand
from services.asking.context import in_prompt
from services.asking.stops import change_digest
from services.asking.words import Asked, NotTaken
from services.changes.brief import Brief
from services.changes.message import AUTHOR, commit_message
from services.engines.line import one_line
from services.prompting.material import Material, material
from services.prompting.template import Template
from services.workspace.checkout import bring_back
from services.workspace.git.command import GitError
from services.workspace.git.nested import Uncommittable
from services.workspace.git.repository import Repository
from services.workspace.migrations.reading import migrations_told

CHANGE = Template.load(
    "services.developer",
    "change",
    takes=(
        *("title", "base", "request", "context", "requirements", "behaviours", "plan", "migrations"),
        *("proof", "refusals"),
    ),
)
NO_REFUSAL = "This is the first attempt."
REFUSED = "Earlier attempts were refused. The source stands as before them; do it so that this is mended:"
LEFT_BEHIND = ("__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis")


class Proof(Frozen):
    """A behaviour, word for word, and the tests that show it."""

    behaviour: str = Field(min_length=1, max_length=500)
    tests: tuple[str, ...] = Field(min_length=1, max_length=50)


class Account(Frozen):
    """What its writer says of a change."""

    summary: str = Field(min_length=1, max_length=4000)
    proofs: tuple[Proof, ...] = Field(default=(), max_length=20)
    unfinished: str = Field(default="", max_length=2000)
    suspicions: tuple[str, ...] = Field(default=(), max_length=20)

    @model_validator(mode="after")
    def _is_whole(self) -> "Account":
        if not self.proofs and not self.unfinished:
            raise ValueError("without proofs, say what is unfinished")
        return self

    def tests(self) -> Mapping[str, tuple[str, ...]]:
        """The tests of each behaviour."""
        found: dict[str, tuple[str, ...]] = {}
        for proof in self.proofs:
            name = " ".join(proof.behaviour.split())
            found[name] = (*found.get(name, ()), *proof.tests)
        return found


@dataclass(frozen=True)
class Draft:
    """A change as it was written: `commit` on the base, what it touches, and its writer's account."""

    asked: Asked[Account]
    commit: str
    tree: str
    files: tuple[str, ...]
    patch: bytes


def hopeless(made: Draft, earlier: bytes) -> str:
    """Say why a draft is not worth a trial; empty when it is. `earlier` is the patch refused last."""
    account = made.asked.value
    if not made.files:
        return f"the engine changed no file: {account.unfinished or account.summary}"
    if not account.proofs:
        return f"the engine did not finish: {account.unfinished}"
    if earlier and change_digest(made.patch) == change_digest(earlier):
        return "no progress: the engine wrote the very change that was refused"
    return ""


async def draft(
    consultant: Consultant,
    repository: Repository,
    tree: Path,
    id: str,
    state: Improvement,
    brief: Brief,
    cause: Cause,
) -> Draft:
    """Return the change of a request, written in `tree`, which stands at its base. Raises `NotAnswered`."""
    found = state.discovered
    assert found is not None  # noqa: S101 -- designed, so discovered
    assert state.discovered_at is not None  # noqa: S101 -- set together with it
    read = _read(state, found, brief, await migrations_told(repository, found.base))
    refusals = [material("bug report", f"QA, attempt {n}", one) for n, one in enumerate(brief.bug_reports, 1)]
    prompt = CHANGE.filled(
        base=found.base[:12],
        context=in_prompt(brief.context),
        proof=brief.proof,
        refusals="\n\n".join([REFUSED, *(one.fenced for one in refusals)]) if refusals else NO_REFUSAL,
        **{name: one.fenced for name, one in read.items()},
    )
    errand = Errand(
        "change",
        CHANGE,
        prompt,
        tree,
        may_write=True,
        session=brief.session,
        only=brief.engine,
        materials=(*read.values(), *brief.context, *refusals),
        left=lambda: _left(repository, tree, found.base),
        restore=lambda: bring_back(repository, tree, found.base),
    )
    asked = await consultant.ask(errand, Account, id, cause)
    made = await _tree(repository, tree)
    commit = await repository.commit_tree(
        made, (found.base,), commit_message(id, found, 0), AUTHOR, state.discovered_at
    )
    files = await repository.changed_paths(found.base, commit)
    return Draft(asked, commit, made, files, await repository.patch(found.base, commit))


def _read(state: Improvement, found: Discovered, brief: Brief, migrations: str) -> dict[str, Material]:
    """What the writer reads of others, by the placeholder it stands for."""
    requirements = state.requirements.requirements if state.requirements else ()
    return {
        "title": material("title", "project", brief.title),
        "request": material("request", "a person", found.why),
        "requirements": material("requirements", "PM", "\n".join(one.text for one in requirements)),
        "behaviours": material("behaviours", "PM", "\n".join(f"- {one}" for one in brief.behaviours)),
        "plan": material("plan", "Architect", brief.plan),
        "migrations": material("migrations", "repository", migrations),
    }


async def _left(repository: Repository, tree: Path, base: str) -> bytes:
    return await repository.patch(base, await _tree(repository, tree))


async def _tree(repository: Repository, tree: Path) -> str:
    """Return the tree of what was written. Raises `NotTaken`."""
    _tidy(tree)
    try:
        return await repository.write_tree(tree, (".",))
    except Uncommittable as left:
        raise NotTaken(one_line(str(left))) from left
    except GitError as refused:  # a name or a kind of file that git does not keep
        raise NotTaken(one_line(f"git does not take what is left there: {refused.stderr}")) from refused


def _tidy(tree: Path) -> None:
    """Remove what running tests leaves behind and nobody means to commit."""
    for name in LEFT_BEHIND:
        for folder in tree.rglob(name):
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder)
