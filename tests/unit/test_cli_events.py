"""What a person reads of the log, and what a proof of it finds."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from events.memory import InMemoryEventStore
from events.store import EventStore, Recorded
from events.stream_reader import Stored
from events.subjects import subject
from events.verify import LOG, imported
from services.cli.documents import process
from services.cli.history import events
from services.cli.history.exporting import write_lines
from services.cli.history.proving import Proof, prove, prove_lines
from services.cli.history.reading import Chosen, cells, event_of, following, last
from services.cli.session import Exit, Stop
from tests import projection_facts as f
from tests.projection_facts import CYCLE, Clock, tell

SPOILT = 5  # an event of the target, with others of it before and after


@pytest.fixture
async def store() -> EventStore:
    made = InMemoryEventStore(Clock())
    await tell(made, CYCLE)
    return made


@pytest.fixture
async def lines(store: EventStore) -> list[bytes]:
    out = io.BytesIO()
    await write_lines(store, await store.head(), out)
    return out.getvalue().splitlines(keepends=True)


def places(proof: Proof) -> list[int]:
    return [fault.seq for fault in proof.faults]


def test_an_export_as_it_was_written_is_sound(lines: list[bytes]) -> None:
    assert prove_lines(lines) == Proof(len(CYCLE), ())


def test_each_line_of_an_export_is_an_event_with_its_place(lines: list[bytes]) -> None:
    line = orjson.loads(lines[2])
    assert list(line) == ["until", "seq", "chain", "event"]
    assert (line["until"], line["seq"], line["event"]["subject"]) == (len(CYCLE), 3, "target/toolz")


def is_told(altered: bytes, line: bytes, others: list[bytes]) -> bool:
    """Whether a proof names the line or the next, or the alteration says nothing else than the line did."""
    proof = prove_lines([*others[: SPOILT - 1], altered, *others[SPOILT:]])
    if any(fault.seq in (SPOILT, SPOILT + 1) or fault.where == f"line {SPOILT}" for fault in proof.faults):
        return True
    return proof.sound and imported(altered) == imported(line)


def test_any_altered_byte_is_told_at_its_line(lines: list[bytes]) -> None:
    line = lines[SPOILT - 1]
    altered = [line[:at] + bytes([byte ^ 1]) + line[at + 1 :] for at, byte in enumerate(line[:-1])]
    assert [other for other in altered if not is_told(other, line, lines)] == []


@pytest.mark.parametrize("gone", range(1, len(CYCLE) + 1))
def test_any_removed_line_is_told_where_it_was(lines: list[bytes], gone: int) -> None:
    proof = prove_lines([line for seq, line in enumerate(lines, start=1) if seq != gone])
    next_line = gone + 1 if gone < len(lines) else gone - 1
    assert next_line in places(proof)
    if gone < len(lines):
        assert f"follows sequence {gone - 1}; {gone} was expected" in [fault.what for fault in proof.faults]


def test_lines_cut_off_at_the_end_are_missed(lines: list[bytes]) -> None:
    (fault,) = prove_lines(lines[:10]).faults
    assert (fault.seq, fault.what) == (
        10,
        f"the export ends here; it was written up to sequence {len(lines)}",
    )


@pytest.mark.parametrize("first", range(1, len(CYCLE)))
def test_any_two_exchanged_lines_are_told_at_their_places(lines: list[bytes], first: int) -> None:
    lines[first - 1], lines[first] = lines[first], lines[first - 1]
    assert {first, first + 1} <= set(places(prove_lines(lines)))


def test_a_line_that_says_the_export_ends_elsewhere_is_told(lines: list[bytes]) -> None:
    lines[3] = lines[3].replace(b'"until":%d' % len(lines), b'"until":4')
    (fault,) = prove_lines(lines).faults
    assert (fault.seq, fault.where) == (4, LOG)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n", b"{}\n"])
def test_what_is_no_export_is_not_sound(content: bytes) -> None:
    assert not prove_lines(content.splitlines(keepends=True)).sound


class Stream:
    """A stream as the server gives it, by pages."""

    def __init__(self, stored: list[Stored], head: int) -> None:
        self.stored = stored
        self._head = head

    async def head(self) -> int:
        return self._head

    async def page(self, after: int, limit: int) -> list[Stored]:
        return [message for message in self.stored if message.seq > after][: min(limit, 7)]


class Kept:
    """A journal by its hashes."""

    def __init__(self, events: list[Recorded]) -> None:
        self._hashes = {event.seq: event.envelope.hash for event in events}

    async def end(self) -> int:
        return max(self._hashes, default=0)

    async def hashes(self, after: int, until: int) -> dict[int, str]:
        return {seq: hash for seq, hash in self._hashes.items() if after < seq <= until}


def stored(event: Recorded) -> Stored:
    return Stored(event.seq, subject(event.envelope.address), event.envelope.encode())


async def everything(store: EventStore) -> list[Recorded]:
    return [event async for event in store.read_all()]


async def proof_of(messages: list[Stored], journal: list[Recorded], head: int = len(CYCLE)) -> Proof:
    return await prove(Stream(messages, head), Kept(journal), lambda _: None)


async def test_a_sound_log_is_proven_from_end_to_end(store: EventStore) -> None:
    log = await everything(store)
    assert await proof_of([*map(stored, log)], log) == Proof(len(CYCLE), ())
    assert await proof_of([*map(stored, log)], log[:4]) == Proof(len(CYCLE), ()), "the views are behind"
    assert await proof_of([*map(stored, log)], []) == Proof(len(CYCLE), ()), "no views were built yet"


async def test_an_altered_event_of_the_log_is_told_and_the_proof_goes_on(store: EventStore) -> None:
    log = await everything(store)
    messages = [*map(stored, log)]
    for seq in (3, 20):
        body = messages[seq - 1].body.replace(b'"actor":"pm"', b'"actor":"xx"')
        messages[seq - 1] = messages[seq - 1]._replace(body=body)
    assert places(await proof_of(messages, log)) == [3, 20]


async def test_a_log_rewritten_with_fitting_hashes_is_told_by_the_journal(store: EventStore) -> None:
    log = await everything(store)
    rewritten = InMemoryEventStore(Clock())
    await tell(rewritten, [*CYCLE[:-1], ("improvement", "imp-1", f.i.ChangeDeclined(reason="no"))])
    forged = [*map(stored, await everything(rewritten))]
    assert (await proof_of(forged, [])).sound
    (fault,) = (await proof_of(forged, log)).faults
    assert (fault.seq, fault.where) == (len(CYCLE), "improvement/imp-1")
    assert "not the event the journal has" in fault.what


async def test_an_event_gone_from_the_middle_of_the_log_is_told(store: EventStore) -> None:
    log = await everything(store)
    messages = [stored(event) for event in log if event.seq != 9]
    assert (10, LOG) in [(fault.seq, fault.where) for fault in (await proof_of(messages, log)).faults]


async def test_a_log_that_lost_its_end_is_told(store: EventStore) -> None:
    log = await everything(store)
    messages = [*map(stored, log[:-3])]
    (emptied,) = (await proof_of(messages, [])).faults
    assert emptied.what.startswith(f"nothing follows sequence {len(log) - 3}")
    (shorter,) = (await proof_of(messages, log, head=len(log) - 3)).faults
    assert shorter.what.endswith("3 events are gone")


async def test_a_message_that_is_no_event_is_told(store: EventStore) -> None:
    log = await everything(store)
    messages = [*map(stored, log)]
    messages[6] = messages[6]._replace(body=b"hello")
    assert 7 in places(await proof_of(messages, log))


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
def export(tmp_path: Path, lines: list[bytes]) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def called(app: object, *words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, words)  # type: ignore[arg-type]  # a typer group
    return result.exit_code, result.stdout, result.stderr


def test_a_sound_export_ends_the_command_with_0(export: Path) -> None:
    code, out, _ = called(events.app, "verify", str(export))
    assert (code, out) == (0, f"{len(CYCLE)} events: every hash, link, version and sequence holds\n")


def altered(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], lines[4].replace(b'"work":"baseline"', b'"work":"baselinf"'), *lines[5:]]


def removed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], *lines[5:]]


def exchanged(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], lines[5], lines[4], *lines[6:]]


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
