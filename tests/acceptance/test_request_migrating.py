"""A request that changes a database, through the whole swarm: what does not lead back is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from events.catalogue import read_fact
from events.improvement_facts import ArchitectureDesigned, ChangeImplemented, ChangeRefuted, ChangeValidated
from schemas.improvement import GateResult
from tests.acceptance import migrating_targets as t
from tests.acceptance.command import Ended, aps
from tests.acceptance.swarm_script import SwarmApi, while_answering, written
from tests.acceptance.targets import commit, git, write
from tests.acceptance.watching import events_of
from tests.conftest import run
from tests.messages_api import Step, answers

pytestmark = pytest.mark.slow

WISH = "A book should know its author"
BEHAVIOUR = "a book keeps the author that it is given"
MIGRATION, TEST = "db/versions/b2_authors.py", "tests/test_author.py"
TESTED = """from shelf.models import Book


def test_author():
    assert Book(title="T", author="A").author == "A"
    assert "author" in Book.__table__.columns
"""
WANTED = answers(
    title="Know the author of a book",
    category="feature",
    requirements=["A book has an author, which may be unknown"],
    behaviours=[BEHAVIOUR],
    unclear="",
    forbidden="",
    suspicions=[],
)
PROOFS = [{"behaviour": BEHAVIOUR, "tests": [f"{TEST}::test_author"]}]


def plan(**said: object) -> Step:
    told = {
        "summary": "A column",
        "steps": [{"what": "add it and migrate", "files": ["shelf/models.py", MIGRATION]}],
        "changes": ["shelf/models.py"],
        "creates": [MIGRATION, TEST],
        "sketch": "",
        "decision": "A column that may be empty, so that old books stay",
        "risks": [],
        "suspicions": [],
    }
    return answers(**{**told, **said})


def draft(migration: str | None) -> tuple[Step, ...]:
    files = {"shelf/models.py": t.INDEXED_MODELS, TEST: TESTED}
    files |= {MIGRATION: migration} if migration else {}
    return written(files, summary="added", proofs=PROOFS, unfinished="", suspicions=[])


def asked(home: Path, target: Path, api: SwarmApi) -> Ended:
    """Run `aps request` while the API answers."""
    return while_answering(api, aps, home, "request", str(target), WISH, "--json")


def shelf(ground: Path, name: str) -> Path:
    target = ground / "targets" / name
    write(target, t.ALEMBIC)
    git(target, "init", "--quiet", "--initial-branch=main")
    return commit(target)


def gate_of(gates: tuple[GateResult, ...]) -> GateResult:
    return next(gate for gate in gates if gate.gate == "migrations")


def test_a_migration_that_does_not_lead_back_is_refused_and_the_next_lands(
    ground: Path, fresh_home: Callable[[str], Path]
) -> None:
    home, target = fresh_home("migrating"), shelf(ground, "migrating")
    api = SwarmApi(WANTED, plan(), [draft(None), draft(t.BROKEN), draft(t.SECOND)])
    outcome = asked(home, target, api).outcome
    (one,) = outcome["improvements"]
    assert one["status"] == "deployment_complete", one["reason"]
    assert git(target, "show", f"aps/improved:{MIGRATION}") == t.SECOND.rstrip()

    facts = [read_fact(event.envelope) for event in run(events_of(home))]
    assert [fact.attempt for fact in facts if isinstance(fact, ChangeImplemented)] == [1, 2, 3]
    reasons = [fact.reason for fact in facts if isinstance(fact, ChangeRefuted)]
    assert [reason.split(";")[0] for reason in reasons] == [
        "migrations: the models changed, and no migration was written for add_column book.author, "
        "add_index book_author",
        f"migrations: {MIGRATION}: going down does not lead back: left over column book.author: varchar",
    ]
    (proven,) = [fact for fact in facts if isinstance(fact, ChangeValidated)]
    assert gate_of(proven.gates).evidence.startswith("up, down to the very schema before, and up again")

    told = [heard.text for heard in api.heard if "# Write a change" in heard.text]
    assert all("newest: a1 (db/versions/a1_books.py)" in text for text in told)
    assert "going down does not lead back" in told[-1], "the bug report did not reach the writer"


def test_a_migration_that_is_declared_irreversible_waits_for_a_person(
    ground: Path, fresh_home: Callable[[str], Path]
) -> None:
    home, target = fresh_home("irreversible"), shelf(ground, "irreversible")
    api = SwarmApi(WANTED, plan(irreversible=[MIGRATION]), [draft(t.ONE_WAY)])
    (one,) = asked(home, target, api).outcome["improvements"]
    assert one["status"] == "testing_complete", one["reason"]
    assert f"It cannot be taken back by {MIGRATION}." in one["reason"]
    facts = [read_fact(event.envelope) for event in run(events_of(home))]
    (designed,) = [fact for fact in facts if isinstance(fact, ArchitectureDesigned)]
    assert (designed.risk, designed.declared.irreversible) == ("high", (MIGRATION,))
    (proven,) = [fact for fact in facts if isinstance(fact, ChangeValidated)]
    assert "cannot be taken back, as the plan declares" in gate_of(proven.gates).evidence
