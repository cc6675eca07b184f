"""Which tool migrates a database, how its migrations follow each other, and what is wrong with them."""

import pytest

from services.gates.migration_history import History
from services.gates.migrations import NOT_TAKEN, Trial, migrations
from services.workspace.migrations.outcome import Ran, Went
from services.workspace.migrations.tool import (
    Migrating,
    Revision,
    Tool,
    heads,
    migrating,
    newest_first,
    revisions,
)

INI = "[alembic]\nscript_location = {}\n"
MANAGE = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.base")\n'
ALEMBIC = Migrating(Tool.ALEMBIC, "", "alembic.ini", ("db/versions",))
DJANGO = Migrating(Tool.DJANGO, "", "manage.py", ("shop/migrations",), "site.base")
A, B = 'revision = "a"\ndown_revision = None\n', 'revision: str = "b"\ndown_revision: str | None = "a"\n'
WELL = Ran(Went.WELL)


@pytest.mark.parametrize(
    ("paths", "texts", "tool"),
    [
        (["alembic.ini", "db/env.py"], {"alembic.ini": INI.format("db")}, ALEMBIC),
        (["alembic.ini", "db/env.py"], {"alembic.ini": INI.format("%(here)s/db")}, ALEMBIC),
        (
            ["api/alembic.ini", "api/db/env.py"],
            {"api/alembic.ini": INI.format("%(here)s/db")},
            Migrating(Tool.ALEMBIC, "api", "api/alembic.ini", ("api/db/versions",)),
        ),
        (
            ["alembic.ini", "src/shelf/moves/env.py"],
            {"alembic.ini": INI.format("shelf:moves")},
            Migrating(Tool.ALEMBIC, "", "alembic.ini", ("src/shelf/moves/versions",)),
        ),
        (
            ["alembic.ini", "db/env.py"],
            {"alembic.ini": INI.format("db") + "version_locations = %(here)s/one, two\n"},
            Migrating(Tool.ALEMBIC, "", "alembic.ini", ("one", "two")),
        ),
        (
            ["pyproject.toml", "db/env.py"],
            {"pyproject.toml": '[tool.alembic]\nscript_location = "%(here)s/db"\n'},
            Migrating(Tool.ALEMBIC, "", "pyproject.toml", ("db/versions",)),
        ),
        (["manage.py", "shop/migrations/__init__.py"], {"manage.py": MANAGE}, DJANGO),
        (["shop/migrations/__init__.py"], {}, Migrating(Tool.DJANGO, "", "", ("shop/migrations",))),
    ],
)
def test_a_tool_is_known_by_its_files(paths: list[str], texts: dict[str, str], tool: Migrating) -> None:
    assert migrating(paths, texts) == (tool,)


@pytest.mark.parametrize(
    ("paths", "texts"),
    [
        (["pyproject.toml", "a.py"], {"pyproject.toml": "[project]\nname = 'x'\n"}),
        (["alembic.ini"], {"alembic.ini": INI.format("db")}),
        (["alembic.ini", "db/env.py"], {"alembic.ini": "nonsense"}),
        (["pyproject.toml", "db/env.py"], {"pyproject.toml": "[[["}),
        (["tests/alembic.ini", "tests/db/env.py"], {"tests/alembic.ini": INI.format("db")}),
        (["examples/shop/migrations/__init__.py"], {}),
    ],
)
def test_what_is_none_or_lies_among_tests_is_no_tool(paths: list[str], texts: dict[str, str]) -> None:
    assert migrating(paths, texts) == ()


def test_revisions_are_read_from_plain_values_only() -> None:
    texts = {
        "db/versions/a.py": A,
        "db/versions/b.py": B,
        "db/versions/m.py": 'revision = "m"\ndown_revision = ("a", "b")\n',
        "db/versions/made.py": "revision = make()\n",
        "db/versions/odd.py": "revision = (\n",
        "db/other.py": A,
    }
    assert list(revisions(ALEMBIC, texts).values()) == [
        Revision("db/versions/a.py", "", "a", ()),
        Revision("db/versions/b.py", "", "b", ("a",)),
        Revision("db/versions/m.py", "", "m", ("a", "b")),
    ]


def test_django_migrations_follow_those_of_their_own_application() -> None:
    first, second = "shop/migrations/0001_initial.py", "shop/migrations/0002_more.py"
    texts = {
        first: 'class Migration:\n    dependencies = [("auth", "0002_more")]\n',
        second: 'class Migration:\n    dependencies = [("auth", "0001_x"), ("shop", "0001_initial")]\n',
    }
    assert revisions(DJANGO, texts)[second].after == ("0001_initial",)
    assert heads(revisions(DJANGO, texts).values()) == {"shop/migrations": ("0002_more",)}


def test_migrations_are_taken_back_newest_first() -> None:
    a, b, c = (
        Revision("a.py", "", "a", ()),
        Revision("b.py", "", "b", ("a",)),
        Revision("c.py", "", "c", ("b",)),
    )
    assert newest_first([a, c, b]) == (c, b, a)


def history(after: dict[str, str], before: dict[str, str] | None = None) -> History:
    return History(ALEMBIC, {"db/versions/a.py": A} if before is None else before, after)


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"db/versions/a.py": A + "x = 1\n"}, "db/versions/a.py: it was there before and is edited"),
        ({}, "db/versions/a.py: it was there before and is gone"),
        (
            {"db/versions/a.py": A, "db/versions/0b.py": "def up(): pass\n"},
            "db/versions/0b.py: it does not parse, or does not say which migration it is",
        ),
        (
            {"db/versions/a.py": A, "db/versions/b.py": B.replace('"a"', "None")},
            "2 heads, a, b; one new migration follows a",
        ),
    ],
)
def test_what_is_wrong_as_it_is_written_is_refused_before_it_is_run(after: dict[str, str], said: str) -> None:
    gate = migrations([(history(after), Trial())])
    assert not gate.passed
    assert gate.evidence.startswith(said)


def test_heads_that_were_there_before_are_nobodys_fault() -> None:
    two = {"db/versions/a.py": A, "db/versions/b.py": B.replace('"a"', "None")}
    assert not history(two, two).offences


UP = Ran(Went.WELL, applied=frozenset({"b"}))
GOOD = Trial(base=WELL, asked=WELL, up=UP, down=WELL, again=WELL, fresh=WELL, asks=WELL)
BOTH = {"db/versions/a.py": A, "db/versions/b.py": B}


def test_what_was_seen_makes_the_verdict() -> None:
    assert migrations([(history(BOTH), GOOD)]).passed


MORE = Ran(Went.WELL, schema=frozenset({"table t"}))
OWN = "db/versions/b.py: "


@pytest.mark.parametrize(
    ("step", "ran", "said"),
    [
        ("up", NOT_TAKEN, f"{OWN}going up fails: it was not tried"),
        ("up", WELL, "after going up the tool does not count b as applied"),
        ("down", NOT_TAKEN, f"{OWN}it cannot be taken back"),
        ("down", MORE, f"{OWN}going down does not lead back: left over table t"),
        (
            "down",
            Ran(Went.WELL, applied=frozenset({"b"})),
            f"{OWN}going down does not lead back: the tool counts b as applied",
        ),
        ("again", NOT_TAKEN, f"{OWN}after going down it does not go up again"),
        ("again", MORE, f"{OWN}after going down and up again: left over table t"),
        ("fresh", NOT_TAKEN, f"{OWN}an empty database cannot be migrated any more"),
        ("fresh", MORE, f"{OWN}an empty database becomes another one"),
        ("asks", NOT_TAKEN, "comparing the models with the migrations fails"),
        ("asks", Ran(Went.DIFFERS, ("add_table u",)), "the new migrations leave out add_table u"),
    ],
)
def test_a_step_that_does_not_lead_where_it_should_is_refused(step: str, ran: Ran, said: str) -> None:
    trial = Trial(**{**GOOD.__dict__, step: ran})
    gate = migrations([(history(BOTH), trial)])
    assert not gate.passed
    assert gate.evidence.startswith(said)


@pytest.mark.parametrize(
    ("trial", "why"),
    [
        (Trial(why_not="no environment could be built"), "no environment could be built"),
        (
            Trial(base=Ran(Went.ELSEWHERE, ("postgresql",))),
            "its database is postgresql, and migrations can be tried on SQLite only",
        ),
        (
            Trial(base=Ran(Went.FAILED, ("KeyError: 'URL'",))),
            "the migrations before the change do not go up on SQLite: KeyError: 'URL'",
        ),
    ],
)
def test_what_could_not_be_tried_needs_a_person(trial: Trial, why: str) -> None:
    gate = migrations([(history(BOTH), trial)])
    assert (gate.passed, gate.person, gate.evidence) == (True, why, f"not tried: {why}")


def test_what_the_models_asked_for_before_is_nobodys_fault() -> None:
    asked = Ran(Went.DIFFERS, ("add_table old",))
    same = Trial(**{**GOOD.__dict__, "asked": asked, "asks": asked})
    assert migrations([(history(BOTH), same)]).passed
    more = Trial(
        **{**GOOD.__dict__, "asked": asked, "asks": Ran(Went.DIFFERS, ("add_table old", "add_table new"))}
    )
    assert migrations([(history(BOTH), more)]).evidence == "the new migrations leave out add_table new"


def test_a_comparison_that_cannot_be_made_is_said() -> None:
    unknown = Trial(**{**GOOD.__dict__, "asks": Ran(Went.UNKNOWN, ("its env.py names no models",))})
    gate = migrations([(history(BOTH), unknown)])
    assert gate.passed
    assert gate.evidence.endswith("models and migrations could not be compared: its env.py names no models")
