"""What programs of every published vocabulary recorded is read, verified, folded and shown for ever."""

import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from events.catalogue import FACTS, read_fact
from events.evidence.verify import verify
from services.documents.generate import ROOT
from services.documents.published import event_file
from tests.golden_history import FOLDER, History, histories, lost, main, outcome, rows_lost
from tests.golden_story import story

ALL = histories()
NEWEST = ALL[-1]
every = pytest.mark.parametrize("history", ALL, ids=lambda history: history.folder.name)


def test_there_is_a_golden_history() -> None:
    assert ALL


@every
def test_an_old_event_decodes_to_the_very_bytes_that_were_stored(history: History) -> None:
    assert [event.envelope.encode() for event in history.events] == history.lines


@every
def test_the_chains_of_an_old_log_hold(history: History) -> None:
    assert list(verify(history.events)) == []


@every
def test_an_old_event_is_read_as_the_fact_of_today(history: History) -> None:
    facts = {event.envelope.type: read_fact(event.envelope) for event in history.events}
    written = {kind.rpartition(".")[0] for kind in FACTS}
    assert {kind.rpartition(".")[0] for kind in facts} <= written
    assert all(kind.split(".")[2] == fact.name for kind, fact in facts.items())


@every
def test_an_old_log_comes_to_the_recorded_states(history: History) -> None:
    assert list(lost(history.outcome["states"], outcome(history.events)["states"])) == []


@every
def test_an_old_log_gives_the_recorded_rows(history: History) -> None:
    recorded, found = history.outcome["rows"], outcome(history.events)["rows"]
    assert list(rows_lost(history.outcome, {"rows": found})) == []
    assert {name: view["version"] for name, view in found.items()} == {
        name: view["version"] for name, view in recorded.items()
    }, "a view has a new version: run `python -m tests.golden_history --outcome` and look at what changed"


@every
def test_an_old_event_is_valid_by_the_schema_of_its_type(history: History) -> None:
    validators: dict[str, Draft202012Validator] = {}
    for event in history.events:
        kind = event.envelope.type
        if kind not in validators:
            schema = json.loads((ROOT / event_file(kind)).read_text("utf-8"))
            Draft202012Validator.check_schema(schema)
            registry: Registry[Any] = DRAFT202012.create_resource(schema) @ Registry()
            validators[kind] = Draft202012Validator(schema, registry=registry)
        validators[kind].validate(orjson.loads(event.envelope.encode()))


def test_the_newest_history_tells_every_fact_in_its_newest_version() -> None:
    told = {event.envelope.type for event in NEWEST.events}
    assert set(FACTS) - told == set(), (
        "tell it in tests/golden_story.py, then run `python -m tests.golden_history`"
    )


def test_the_newest_history_tells_of_work_that_waits_for_a_budget() -> None:
    blocked = [event for event in NEWEST.events if event.envelope.address.fact == "blocked"]
    assert {bool(event.envelope.data.get("budget")) for event in blocked} == {True, False}


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """A copy of the golden histories."""
    return Path(shutil.copytree(FOLDER, tmp_path / "golden"))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def test_the_same_story_is_not_told_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path) == 0
    before = content(tmp_path)
    assert main([], tmp_path) == 0
    assert "nothing to add" in capsys.readouterr().out
    assert content(tmp_path) == before


def test_another_story_becomes_the_next_history_and_leaves_the_others_alone(
    golden: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(golden)
    again = [one for one in story() if one.aggregate != "run"]
    last = [one for one in story() if one.aggregate == "run"]
    assert main([], golden, (*last, *again)) == 0
    after = content(golden)
    assert before.items() <= after.items()
    added = histories(golden)[-1]
    assert set(after) - set(before) == {
        f"{added.folder.name}/events.jsonl",
        f"{added.folder.name}/outcome.json",
    }
    assert f"{added.folder.name} holds {len(story())} events" in capsys.readouterr().out
    assert list(verify(added.events)) == []
    assert outcome(added.events) == added.outcome


def test_a_story_that_leaves_a_fact_out_is_no_golden_history(
    golden: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(golden)
    assert main([], golden, [one for one in story() if one.aggregate != "delivery"]) == 1
    assert "aps.delivery.received.v1" in capsys.readouterr().err
    assert content(golden) == before


def test_a_history_that_is_gone_is_missed(golden: Path) -> None:
    (golden / f"v{len(ALL)}").rename(golden / f"v{len(ALL) + 1}")
    with pytest.raises(ValueError, match="kept for ever"):
        histories(golden)


def altered(golden: Path, change: dict[str, Any]) -> None:
    path = golden / "v1" / "outcome.json"
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **change}))


def test_rows_that_differ_at_the_same_version_of_their_view_are_not_written_down_anew(
    golden: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ALL[0].outcome["rows"]
    altered(golden, {"rows": {**rows, "targets": {**rows["targets"], "rows": {}}}})
    before = content(golden)
    assert main(["--outcome"], golden) == 1
    assert "rows of targets differ: raise the version of the view" in capsys.readouterr().err
    assert content(golden) == before


def test_rows_of_another_version_of_their_view_are_written_down_anew(golden: Path) -> None:
    assert main(["--outcome"], golden) == 0
    before = content(golden)
    rows = histories(golden)[0].outcome["rows"]
    altered(golden, {"rows": {**rows, "targets": {"version": -1, "rows": {}}}})
    assert main(["--outcome"], golden) == 0
    assert content(golden) == before


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["a.b[1] was 2, is 3"]),
        ({"a": 1}, {"b": 1}, ["a is gone"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a was [1], is [1, 2]"]),
        ({"a": None}, {"a": {}}, ["a was None, is {}"]),
    ],
)
def test_what_a_state_lost_is_named_by_its_place(before: object, after: object, expected: list[str]) -> None:
    assert list(lost(before, after)) == expected


def test_a_wrong_word_is_answered_by_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rewrite"]) == 2
    assert "usage" in capsys.readouterr().err
