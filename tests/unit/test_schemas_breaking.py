"""A change that would make stored events unreadable does not pass `make check`; a compatible one does."""

import shutil
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import create_model

from events.catalogue import FACTS, VOCABULARY
from events.fact import Fact
from events.improvement_facts import Discovered
from events.upcasting import Data, Vocabulary
from schemas.base import Frozen
from services.documents.breaking import breaches
from services.documents.generate import ROOT, main
from services.documents.published import FOLDER, event_file

KIND = "aps.improvement.discovered.v1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of what is generated, as it was published."""
    for path in ("schemas", "docs"):
        shutil.copytree(ROOT / path, tmp_path / path, ignore=shutil.ignore_patterns("*.py", "adr"))
    return tmp_path


def broken_copy(without: str = "", **fields: Any) -> type[Fact]:
    """The model of `discovered` with a field left out, and others given or changed."""
    kept = {name: (f.annotation, f) for name, f in Discovered.model_fields.items() if name != without}
    copy = create_model("Discovered", __base__=Fact, __doc__=Discovered.__doc__, **{**kept, **fields})
    copy.name = "discovered"
    return copy


def with_(fact: type[Fact], **upcasts: Any) -> Vocabulary:
    return Vocabulary({**VOCABULARY.facts, "aps.improvement.discovered": fact}, upcasts.get("upcasts", {}))


def content(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*.*")}


def test_the_copy_of_a_model_is_the_model(root: Path) -> None:
    assert main(["--check"], root, with_(broken_copy())) == 0


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        (broken_copy(without="rank"), "data.rank is gone, or has another name"),
        (broken_copy(without="rank", place=(int, 0)), "data.rank is gone, or has another name"),
        (broken_copy(severity=(str, ...)), "data.severity is new, and has no default"),
        (broken_copy(title=(int, ...)), "data.title must be integer now; it could be string"),
        (broken_copy(files=(tuple[int, ...], ...)), "data.files[] must be integer now; it could be string"),
        (
            broken_copy(source=(Literal["ruff"], ...)),
            "data.source must be one of ['ruff'] now; it could be any string",
        ),
    ],
    ids=["removed", "renamed", "required", "other type", "other elements", "fewer values"],
)
def test_a_breaking_change_fails_the_check_and_says_event_field_and_remedy(
    root: Path, capsys: pytest.CaptureFixture[str], fact: type[Fact], says: str
) -> None:
    before = content(root)
    for arguments in (["--check"], []):
        assert main(arguments, root, with_(fact)) == 1
        said = capsys.readouterr().out
        assert f"{KIND}: {says}" in said
        for remedy in ("raise `version`", "events/upcasting.py", "python -m tests.golden_history"):
            assert remedy in said
    assert content(root) == before


def test_a_new_field_with_a_default_is_written_into_the_published_schema(root: Path) -> None:
    longer = with_(broken_copy(severity=(str, "")))
    assert main(["--check"], root, longer) == 1
    assert main([], root, longer) == 0
    assert main(["--check"], root, longer) == 0
    assert '"severity"' in (root / event_file(KIND)).read_text("utf-8")
    assert main(["--check"], root) == 1, "and it cannot be taken back: events with it may stand on logs"


def test_a_new_version_with_its_upcast_gets_a_file_of_its_own(root: Path) -> None:
    def counted(data: Data) -> Data:
        return {**{name: data[name] for name in data if name != "rank"}, "place": data["rank"]}

    second = broken_copy(without="rank", place=(int, ...))
    second.version = 2
    changed = with_(second, upcasts={second: (counted,)})
    before = content(root)
    assert main([], root, changed) == 0
    assert main(["--check"], root, changed) == 0
    after = content(root)
    assert {path for path in after if path not in before} == {
        root / FOLDER / "aps.improvement.discovered.v2.json"
    }
    assert {path.name for path in before if before[path] != after[path]} == {"asyncapi.json"}


def test_a_new_version_without_its_upcast_is_no_vocabulary() -> None:
    second = broken_copy(without="rank")
    second.version = 2
    with pytest.raises(ValueError, match=r"aps\.improvement\.discovered is at version 2.*needs 1 upcast"):
        with_(second)


def test_a_fact_that_was_published_stays_in_the_vocabulary(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / FOLDER / "aps.improvement.gone.v1.json").write_text("{}", "utf-8")
    (root / FOLDER / "aps.improvement.discovered.v2.json").write_text("{}", "utf-8")
    assert main(["--check"], root) == 1
    said = capsys.readouterr().out
    assert "aps.improvement.gone.v1: no fact of the vocabulary is called so" in said
    assert "aps.improvement.discovered.v2: Discovered went back to version 1" in said


def test_every_event_has_its_published_schema_and_no_other_file_stands_there() -> None:
    assert {path.name for path in (ROOT / FOLDER).iterdir()} == {event_file(kind).name for kind in FACTS}


class Part(Frozen):
    size: int


class Kept(Fact):
    name: ClassVar[str] = "kept"
    part: Part
    parts: tuple[Part, ...] = ()
    by_name: dict[str, Part] = {}
    perhaps: Part | None = None
    word: Literal["a", "b"] = "a"


def schema(**properties: Any) -> Data:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


TEXT = {"type": "string"}
COUNT = {"type": "integer"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (COUNT, {"type": "number"}, []),
        ({"type": "number"}, COUNT, ["x must be integer now; it could be number"]),
        (TEXT, {"anyOf": [TEXT, {"type": "null"}]}, []),
        ({"anyOf": [TEXT, {"type": "null"}]}, TEXT, ["x must be string now; it could be null"]),
        ({"type": ["string", "null"]}, TEXT, ["x must be string now; it could be null"]),
        ({}, TEXT, ["x must be string now; it could be anything"]),
        (TEXT, {}, []),
        ({**TEXT, "enum": ["a"]}, {**TEXT, "enum": ["a", "b"]}, []),
        ({**TEXT, "enum": ["a", "b"]}, {**TEXT, "const": "a"}, ["x can no longer be 'b'"]),
        ({**TEXT, "maxLength": 5}, {**TEXT, "maxLength": 6}, []),
        (
            {**TEXT, "maxLength": 5},
            {**TEXT, "maxLength": 4},
            ["x is held to maxLength 4 now; before: 5"],
        ),
        (COUNT, {**COUNT, "minimum": 0}, ["x is held to minimum 0 now; before: nothing"]),
        ({**COUNT, "minimum": 1}, {**COUNT, "minimum": 0}, []),
        ({**COUNT, "minimum": 0}, {**COUNT, "minimum": 1}, ["x is held to minimum 1 now; before: 0"]),
        ({**TEXT, "pattern": "a"}, {**TEXT, "pattern": "b"}, ["x is held to pattern 'b' now; before: 'a'"]),
        ({**TEXT, "pattern": "a"}, TEXT, []),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": {}}, []),
        (
            {"type": "array"},
            {"type": "array", "items": TEXT},
            ["x[] must be string now; it could be anything"],
        ),
        (
            {"type": "object", "additionalProperties": TEXT},
            {"type": "object", "additionalProperties": COUNT},
            ["x.* must be integer now; it could be string"],
        ),
        (
            {"type": "object"},
            {"type": "object", "additionalProperties": False},
            ["x takes fewer names than before"],
        ),
        (
            {"type": "object", "additionalProperties": TEXT},
            {"type": "object", "properties": {"a": TEXT, "b": COUNT}},
            ["x.b must be integer now; it could be string"],
        ),
        ({**TEXT, "default": "a"}, {**TEXT, "default": "b"}, ["x means 'b' now when it is missing, not 'a'"]),
        ({**TEXT, "title": "One"}, {**TEXT, "title": "Two", "description": "two"}, []),
        (
            TEXT,
            {**TEXT, "contentEncoding": "base64"},
            ["x is held to contentEncoding 'base64' now; before: nothing"],
        ),
    ],
)
def test_what_is_no_longer_admitted_is_named(old: Data, new: Data, expected: list[str]) -> None:
    found = breaches(schema(x=old), schema(x=new))
    assert [f"{breach.at} {breach.what}" for breach in found] == expected
    assert breaches(schema(x=old), schema(x=old)) == ()


def test_a_field_that_was_optional_stays_so() -> None:
    old = {**schema(x=TEXT), "required": []}
    assert [breach.what for breach in breaches(old, schema(x=TEXT))] == [
        "was not always there, and has no default"
    ]
    assert breaches(schema(x=TEXT), old) == ()


def test_parts_are_compared_wherever_they_stand() -> None:
    class Other(Frozen):
        size: str

    fields: dict[str, Any] = {
        "part": (Other, ...),
        "parts": (tuple[Other, ...], ()),
        "by_name": (dict[str, Other], {}),
        "perhaps": (Other | None, None),
    }
    other = create_model("Kept", __base__=Kept, **fields)
    found = breaches(Kept.model_json_schema(), other.model_json_schema())
    assert [breach.at for breach in found] == ["part.size", "parts[].size", "by_name.*.size", "perhaps.size"]


def test_a_part_that_holds_its_own_kind_is_compared_to_its_end() -> None:
    class Tree(Frozen):
        name: str
        branches: "tuple[Tree, ...]" = ()

    assert breaches(Tree.model_json_schema(), Tree.model_json_schema()) == ()
