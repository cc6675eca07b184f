"""What a person reads of the log, and what a proof of it finds."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from events.memory import InMemoryEventStore
from events.store import EventStore, Recorded
from services.cli.documents import process
from services.cli.history import events
from services.cli.history.reading import Chosen, cells, event_of, following, last
from services.cli.session import Exit, Stop
from tests import projection_facts as f
from tests.exported_log import OURS, THEIRS, export_of, heads_of
from tests.projection_facts import CYCLE, Clock, tell


@pytest.fixture
async def store() -> EventStore:
    made = InMemoryEventStore(Clock())
    await tell(made, CYCLE)
    return made


async def everything(store: EventStore) -> list[Recorded]:
    return [event async for event in store.read_all()]


async def test_the_last_events_are_found_however_far_back_they_stand(store: EventStore) -> None:
    log = await everything(store)
    assert await last(store, Chosen(), 3) == log[-3:]
    assert [event.seq for event in await last(store, Chosen("target"), 2)] == [5, 6]
    assert await last(store, Chosen(id="nobody"), 5) == []
    assert await last(store, Chosen(), 0) == []


async def test_events_are_read_on_from_a_place(store: EventStore) -> None:
    assert [event.seq for event in await following(store, Chosen(), 4, 3)] == [5, 6, 7]
    batches = await following(store, Chosen("batch", "batch-1"), 0, 50)
    assert {event.envelope.subject for event in batches} == {"batch/batch-1"}


def test_a_kind_of_aggregate_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(Stop, match="improvement, batch") as refused:
        Chosen("improvements").check()
    assert refused.value.code is Exit.USAGE


async def test_an_event_is_named_by_its_place_its_id_or_how_that_begins(store: EventStore) -> None:
    event = (await everything(store))[3]
    assert await event_of(store, "4") == event
    assert await event_of(store, event.envelope.id) == event
    assert await event_of(store, event.envelope.id[:18].upper()) == event


@pytest.mark.parametrize(
    ("named", "code"),
    [("0", Exit.NOT_FOUND), ("99", Exit.NOT_FOUND), ("zzzzzzzz", Exit.NOT_FOUND), ("abc", Exit.USAGE)],
)
async def test_an_event_that_is_not_there_is_told(store: EventStore, named: str, code: Exit) -> None:
    with pytest.raises(Stop) as refused:
        await event_of(store, named)
    assert refused.value.code is code


async def test_nothing_in_an_event_reaches_the_terminal_as_a_control() -> None:
    store = InMemoryEventStore(Clock())
    await tell(store, [("improvement", "imp-1", f.discovered(title="\x1b[2Jgone\u202e\n\x9b"))])
    (event,) = await everything(store)
    unknown = replace(
        event.envelope, type="aps.improvement.unheard_of.v9", actor="\x1b[31m", data={"a": "\x9b"}
    )
    for envelope in (event.envelope, unknown):
        shown = "".join(map(str, cells(Recorded(1, envelope))))
        assert shown.isprintable()
    assert "gone" in str(cells(event)[-1])


@pytest.fixture
async def export(tmp_path: Path, store: EventStore) -> Path:
    log = await everything(store)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(export_of(log, heads_of(log, len(log)))))
    return path


def called(app: object, *words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, words)  # type: ignore[arg-type]  # a typer group
    return result.exit_code, result.stdout, result.stderr


def test_a_sound_export_ends_the_command_with_0(export: Path) -> None:
    code, out, _ = called(events.app, "verify", str(export))
    assert code == 0
    assert out.splitlines()[:2] == [
        f"{len(CYCLE)} events: every hash, link, version and sequence holds",
        f"signed heads reach up to sequence {len(CYCLE)}; checked with key {OURS.public.id}",
    ]
    assert f"proven with the key inside the file, {OURS.public.text}" in out


def test_an_export_is_proven_by_the_key_that_is_given(export: Path) -> None:
    code, out, _ = called(events.app, "verify", str(export), "--key", OURS.public.text)
    assert (code, "inside" in out) == (0, False)
    code, out, _ = called(events.app, "verify", str(export), "--key", THEIRS.public.text)
    assert (code, f"signed with key {OURS.public.id}, which is not trusted" in out) == (Exit.FAILED, True)
    assert called(events.app, "verify", str(export), "--key", "abc")[0] == Exit.USAGE


def test_a_packed_export_is_proven_and_one_that_is_damaged_is_told(export: Path) -> None:
    packed = gzip.compress(export.read_bytes())
    export.write_bytes(packed)
    assert called(events.app, "verify", str(export))[0] == 0
    for spoilt in (packed[: len(packed) // 2], packed[:200] + b"\0\0\0\0" + packed[204:]):
        export.write_bytes(spoilt)
        code, out, _ = called(events.app, "verify", str(export))
        assert (code, "cannot be unpacked further" in out) == (Exit.FAILED, True)


def altered(lines: list[bytes]) -> list[bytes]:
    return [*lines[:6], lines[6].replace(b'"work":"baseline"', b'"work":"baselinf"'), *lines[7:]]


def removed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:6], *lines[7:]]


def exchanged(lines: list[bytes]) -> list[bytes]:
    return [*lines[:6], lines[7], lines[6], *lines[8:]]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (altered, "sequence 5 (target/toolz): was altered"),
        (removed, "sequence 6: follows sequence 4; 5 was expected"),
        (exchanged, "sequence 5: follows sequence 6"),
    ],
)
def test_a_spoilt_export_ends_the_command_with_1_and_the_place(
    export: Path, spoil: Callable[[list[bytes]], list[bytes]], told: str
) -> None:
    export.write_bytes(b"".join(spoil(export.read_bytes().splitlines(keepends=True))))
    code, out, err = called(events.app, "verify", str(export))
    assert code == Exit.FAILED
    assert told in out
    assert "faults in" in err or "1 fault in" in err
    code, out, _ = called(events.app, "verify", str(export), "--json")
    proof = orjson.loads(out)
    assert (code, proof["sound"], proof["file"]) == (Exit.FAILED, False, str(export))
    assert {"seq", "where", "what"} == set(proof["faults"][0])


def test_an_export_that_is_not_there_ends_the_command_with_3(tmp_path: Path) -> None:
    assert called(events.app, "verify", str(tmp_path / "none"))[0] == Exit.NOT_FOUND
    assert called(events.app, "verify", str(tmp_path))[0] == Exit.USAGE


@pytest.mark.parametrize("content", [b"", b"# Read me\n\nand more\n", b'{\n  "a": [1,\n  2]\n}\n'])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_is_no_export_at_all_is_said_once_and_ends_the_command_with_2(
    tmp_path: Path, content: bytes, pack: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "README.md"
    file.write_bytes(pack(content))
    code, out, err = called(events.app, "verify", str(file))
    assert (code, out) == (Exit.USAGE, "")
    assert "".join(err.split()).count("README.mdisnoexportofthelog") == 1


GOOD = "process:\n  id: imp-1\n  name: Remove unused imports\n  status: initialized\n"


def test_a_good_document_is_told_with_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "good.aps.yaml"
    file.write_text(GOOD)
    assert called(process.app, "validate", str(file)) == (0, f"{file} is an APS document: process\n", "")


def test_remarks_go_to_stderr_and_do_not_refuse(tmp_path: Path) -> None:
    file = tmp_path / "odd.aps.yaml"
    file.write_text(GOOD + "  colour: blue\n")
    code, out, err = called(process.app, "validate", str(file))
    assert (code, "1 remark" in out) == (0, True)
    assert "line 5: process.colour: unknown key, kept" in err
    code, out, _ = called(process.app, "validate", str(file), "--json")
    assert orjson.loads(out)["remarks"][0]["line"] == 5


def test_each_problem_of_a_bad_document_is_told_with_line_and_field(tmp_path: Path) -> None:
    file = tmp_path / "bad.aps.yaml"
    file.write_text("process:\n  id: [x]\n  name: [a, b]\nmessage: 3\n")
    code, out, err = called(process.app, "validate", str(file))
    assert code == Exit.FAILED
    for place in ("line 2: process.id", "line 3: process.name", "line 4: message"):
        assert place in out
    assert "is no APS document" in err
    code, out, _ = called(process.app, "validate", str(file), "--json")
    said = orjson.loads(out)
    assert (code, said["valid"]) == (Exit.FAILED, False)
    assert {"line", "field", "message"} == set(said["problems"][0])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"- a\n", b"a: [\n", b"x" * 600_000])
def test_what_is_no_document_at_all_ends_the_command_with_1(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad"
    file.write_bytes(content)
    assert called(process.app, "validate", str(file))[0] == Exit.FAILED


def test_a_document_that_is_not_there_ends_the_command_with_3(tmp_path: Path) -> None:
    assert called(process.app, "validate", str(tmp_path / "none"))[0] == Exit.NOT_FOUND


@pytest.mark.parametrize("group", [events.app, process.app])
def test_every_command_shows_an_example(group: object) -> None:
    for command in group.registered_commands:  # type: ignore[attr-defined]  # a typer group
        name = command.name or command.callback.__name__
        code, out, _ = called(group, name, "--help")
        assert (code, "Example: aps " in out) == (0, True), name


def test_one_event_is_told_as_one(tmp_path: Path, log_of_one: list[bytes]) -> None:
    file = tmp_path / "one.jsonl"
    file.write_bytes(b"".join(log_of_one))
    assert called(events.app, "verify", str(file))[1].startswith("1 event: every hash")
    file.write_bytes(b"".join([log_of_one[0], *log_of_one[2:]]))
    code, _, err = called(events.app, "verify", str(file))
    assert (code, "1 events" in err, "in 1 event" in err) == (Exit.FAILED, False, True)


@pytest.fixture
async def log_of_one(store: EventStore) -> list[bytes]:
    log = (await everything(store))[:1]
    return export_of(log, heads_of(log, 1))
