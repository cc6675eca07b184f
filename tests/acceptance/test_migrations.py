"""Migrations of real Alembic and Django projects, tried for real: there and back, or refused by name."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.improvement import GateResult
from services.qa.migrating import Migration
from services.sandbox.detect import detect
from services.sandbox.port import MIB, Limits
from services.workspace.checkout import Workspace
from services.workspace.git.repository import Repository
from services.workspace.suites.proving import Prover
from tests.acceptance import migrating_targets as t
from tests.acceptance.targets import commit, git, write
from tests.leftovers import session_folder

pytestmark = pytest.mark.slow

LIMITS = Limits(wall_seconds=120, memory_bytes=1024 * MIB)
NEW, OLD = "db/versions/b2_authors.py", "db/versions/a1_books.py"
SHOP_NEW = "shop/migrations/0002_email.py"
Files = Mapping[str, str | None]


@dataclass(frozen=True)
class Bench:
    """A project with one commit, and what it takes to try changes of it."""

    target: Path
    base: str
    prover: Prover

    def judged(self, files: Files, irreversible: tuple[str, ...] = ()) -> GateResult:
        """Return what the gate says of a change."""
        git(self.target, "checkout", "--quiet", "--force", "-B", "candidate", self.base)
        write(self.target, {name: text for name, text in files.items() if text is not None})
        for name in (name for name, text in files.items() if text is None):
            (self.target / name).unlink()
        commit(self.target, "A candidate")
        change = Migration(
            repository=Repository(self.target),
            base=self.base,
            parent=self.base,
            commit=git(self.target, "rev-parse", "HEAD"),
            files=tuple(files),
            irreversible=irreversible,
            worktree="migrations",
        )
        return asyncio.run(change.judged(self.prover))


def bench_of(root: Path, name: str, files: Mapping[str, str]) -> Bench:
    target = root / name
    write(target, files)
    git(target, "init", "--quiet", "--initial-branch=main")
    commit(target)
    prover = Prover(Workspace(root), asyncio.run(detect()), LIMITS)
    return Bench(target, git(target, "rev-parse", "HEAD"), prover)


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with session_folder("migrations", asyncio.run) as root:
        yield root


@pytest.fixture(scope="module")
def alembic(root: Path) -> Bench:
    return bench_of(root, "alembic", t.ALEMBIC)


@pytest.fixture(scope="module")
def django(root: Path) -> Bench:
    return bench_of(root, "django", t.DJANGO)


def test_a_good_migration_passes(alembic: Bench) -> None:
    gate = alembic.judged({NEW: t.SECOND, "shelf/models.py": t.INDEXED_MODELS})
    assert gate.passed, gate.evidence
    assert gate.evidence == (
        "up, down to the very schema before, and up again; 1 migration tried on SQLite; "
        "the models ask for nothing more"
    )
    assert not gate.person


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {NEW: t.BROKEN, "shelf/models.py": t.INDEXED_MODELS},
            f"{NEW}: going down does not lead back: left over column book.author: varchar",
        ),
        (
            {NEW: t.ONE_WAY, "shelf/models.py": t.INDEXED_MODELS},
            f"{NEW}: it cannot be taken back, and the plan does not declare that: NotImplementedError: who",
        ),
        (
            {NEW: t.SECOND.split("def downgrade")[0], "shelf/models.py": t.INDEXED_MODELS},
            f"{NEW}: it cannot be taken back",
        ),
        ({NEW: t.SECOND.replace('"book", sa', '"boook", sa')}, f"{NEW}: going up fails: "),
        (
            {OLD: t.FIRST.replace('"title", sa.String', '"title", sa.Text')},
            f"{OLD}: it was there before and is edited",
        ),
        ({OLD: None, NEW: t.SECOND}, f"{OLD}: it was there before and is gone"),
        (
            {NEW: t.SECOND, "db/versions/c3_other.py": t.SECOND.replace('"b2"', '"c3"')},
            "2 heads, b2, c3; one new migration follows a1",
        ),
        (
            {NEW: t.SECOND, "db/versions/c3_again.py": t.SECOND},
            f"{NEW}: another migration has its name b2",
        ),
        (
            {"shelf/models.py": t.MORE_MODELS},
            "the models changed, and no migration was written for add_column book.author",
        ),
        (
            {NEW: t.SECOND, "shelf/models.py": t.MODELS + "    year: Mapped[int]\n"},
            "the new migrations leave out ",
        ),
    ],
)
def test_what_does_not_lead_there_and_back_is_refused_by_name(
    alembic: Bench, files: Files, said: str
) -> None:
    gate = alembic.judged(files)
    assert not gate.passed
    assert gate.evidence.startswith(said)


def test_an_irreversible_migration_passes_where_the_plan_declares_it(alembic: Bench) -> None:
    gate = alembic.judged({NEW: t.ONE_WAY, "shelf/models.py": t.INDEXED_MODELS}, irreversible=(NEW,))
    assert gate.passed, gate.evidence
    assert gate.evidence.startswith(f"{NEW} cannot be taken back, as the plan declares")


def test_the_layout_of_an_old_migration_is_nobodys_affair(alembic: Bench) -> None:
    gate = alembic.judged(
        {OLD: t.FIRST.replace("import sqlalchemy as sa\n", "# Tables\nimport sqlalchemy as sa\n")}
    )
    assert gate.passed, gate.evidence


def test_a_secret_that_a_failing_migration_prints_is_not_repeated(alembic: Bench) -> None:
    secret = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    printing = t.SECOND.replace("def upgrade():\n", f"def upgrade():\n    raise OSError({secret!r})\n")
    assert secret in printing
    gate = alembic.judged({NEW: printing, "shelf/models.py": t.INDEXED_MODELS})
    assert f"{NEW}: going up fails: OSError: [***]" in gate.evidence


def test_what_touches_no_database_is_not_tried(alembic: Bench) -> None:
    gate = alembic.judged({"shelf/prices.py": "VAT = 7\n"})
    assert (gate.passed, gate.evidence, gate.person) == (True, "no migration and no model is touched", "")


def test_a_server_as_database_is_said_and_needs_a_person(root: Path) -> None:
    server = {
        **t.ALEMBIC,
        "alembic.ini": t.INI.replace("sqlite:///shelf.db", "mysql+pymysql://shelf@db.example.invalid/shelf"),
    }
    gate = bench_of(root, "server", server).judged({NEW: t.SECOND, "shelf/models.py": t.INDEXED_MODELS})
    assert gate.passed
    assert gate.person == "its database is mysql, and migrations can be tried on SQLite only"
    assert gate.evidence == f"not tried: {gate.person}"


def test_migrations_that_never_went_up_are_said_and_need_a_person(root: Path) -> None:
    wrong = {**t.ALEMBIC, "db/env.py": t.ENV.replace("create_engine(url)", "create_engine(missing)")}
    gate = bench_of(root, "wrong", wrong).judged({NEW: t.SECOND})
    assert gate.person.startswith("the migrations before the change do not go up on SQLite: NameError")


def test_a_good_django_migration_passes(django: Bench) -> None:
    gate = django.judged({SHOP_NEW: t.EMAIL, "shop/models.py": t.MORE_SHOP})
    assert gate.passed, gate.evidence
    assert gate.evidence == (
        "up, down to the very schema before, and up again; 1 migration tried on SQLite; "
        "the models ask for nothing more"
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {SHOP_NEW: t.CODE, "shop/models.py": t.MORE_SHOP},
            f"{SHOP_NEW}: it cannot be taken back, and the plan does not declare that: IrreversibleError",
        ),
        (
            {"shop/models.py": t.MORE_SHOP},
            "the models changed, and no migration was written for + Add field email to customer",
        ),
        (
            {"shop/migrations/0001_initial.py": t.INITIAL.replace("=40", "=50")},
            "shop/migrations/0001_initial.py: it was there before and is edited",
        ),
        (
            {SHOP_NEW: t.EMAIL, "shop/migrations/0002_other.py": t.EMAIL.replace('"email"', '"phone"')},
            "shop/migrations: 2 heads, 0002_email, 0002_other; one new migration follows 0001_initial",
        ),
    ],
)
def test_what_django_cannot_take_back_or_does_not_have_is_refused(
    django: Bench, files: Files, said: str
) -> None:
    gate = django.judged(files)
    assert not gate.passed
    assert gate.evidence.startswith(said)


def test_a_django_project_on_a_server_needs_a_person(root: Path) -> None:
    server = {**t.DJANGO, "site_settings/base.py": t.SETTINGS.replace("sqlite3", "postgresql")}
    gate = bench_of(root, "django-server", server).judged({SHOP_NEW: t.EMAIL})
    assert gate.person == (
        "its database is django.db.backends.postgresql, and migrations can be tried on SQLite only"
    )


def test_a_project_without_a_tool_is_not_tried(root: Path) -> None:
    plain = {name: text for name, text in t.ALEMBIC.items() if not name.startswith(("db/", "alembic"))}
    gate = bench_of(root, "plain", plain).judged({"shelf/models.py": t.MORE_MODELS})
    assert (gate.passed, gate.evidence) == (True, "the target has no migration tool")
