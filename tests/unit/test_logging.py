"""Log lines are JSON objects that say whose they are and give no secret away."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from services.runtime.logging import RotatedBetweenProcesses, configure

SECRET = 'top"secret\\é'


@pytest.fixture(autouse=True)
def former_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(home: Path, service: str = "pm") -> list[dict[str, object]]:
    text = (home / "logs" / f"{service}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_says_when_who_and_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure("pm", tmp_path)
    structlog.get_logger().info("scanned", target="t1", findings=3)
    [line] = lines(tmp_path)
    assert line.pop("time")
    assert line == {"event": "scanned", "level": "info", "service": "pm", "target": "t1", "findings": 3}
    assert json.loads(capsys.readouterr().err) == lines(tmp_path)[0]


def test_what_is_bound_to_a_piece_of_work_is_on_each_of_its_lines(tmp_path: Path) -> None:
    configure("all", tmp_path)
    with structlog.contextvars.bound_contextvars(service="qa", correlationid="c1"):
        structlog.get_logger().info("tested")
    structlog.get_logger().info("idle")
    tested, idle = lines(tmp_path, "all")
    assert (tested["service"], tested["correlationid"]) == ("qa", "c1")
    assert idle["service"] == "all"
    assert "correlationid" not in idle


def test_lines_of_other_libraries_look_the_same(tmp_path: Path) -> None:
    configure("pm", tmp_path)
    logging.getLogger("nats.aio").warning("lost %s", "the server")
    [line] = lines(tmp_path)
    assert (line["event"], line["level"], line["service"]) == ("lost the server", "warning", "pm")


class Terminal(io.StringIO):
    """A screen that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_a_trace_for_a_person_shows_no_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    configure("pm", tmp_path, console=True)

    def unwrap(key: bytes) -> None:
        raise ValueError("broken")

    try:
        unwrap(bytes(range(65, 77)))
    except ValueError:
        structlog.get_logger().exception("failed")
    for shown in (screen.getvalue(), (tmp_path / "logs" / "pm.jsonl").read_text("utf-8")):
        assert "broken" in shown
        assert "ABCDEFG" not in shown


def test_lines_below_the_level_are_left_out(tmp_path: Path) -> None:
    configure("pm", tmp_path, "warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("other").info("quiet")
    structlog.get_logger().error("loud")
    assert [line["event"] for line in lines(tmp_path)] == ["loud"]


def test_a_secret_is_masked_wherever_it_appears(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure("pm", tmp_path, secrets=[SECRET, "x"])
    log = structlog.get_logger()
    log.info(f"said {SECRET}", nested={"key": [SECRET]}, x="ax")
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("failed")
    logging.getLogger("other").warning("postgresql://aps:hidden@127.0.0.1:5432/aps")
    printed = (tmp_path / "logs" / "pm.jsonl").read_text("utf-8") + capsys.readouterr().err
    assert "top" not in printed
    assert "hidden" not in printed
    said, failed, other = lines(tmp_path)
    assert (said["event"], said["nested"], said["x"]) == ("said ******", {"key": ["******"]}, "ax")
    assert "ValueError: ******" in str(failed["exception"])
    assert other["event"] == "postgresql://aps:******@127.0.0.1:5432/aps"


def test_a_person_at_a_terminal_may_ask_for_readable_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    configure("pm", tmp_path, console=True)
    structlog.get_logger().info("scanned")
    assert "scanned" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    assert lines(tmp_path)[0]["event"] == "scanned"


def test_configuring_twice_writes_each_line_once(tmp_path: Path) -> None:
    configure("pm", tmp_path)
    configure("pm", tmp_path)
    structlog.get_logger().info("once")
    assert len(lines(tmp_path)) == 1


def test_the_log_folder_is_closed_to_others(tmp_path: Path) -> None:
    configure("pm", tmp_path)
    assert (tmp_path / "logs").stat().st_mode & 0o077 == 0


def test_two_writers_rotate_one_file_and_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "shared.jsonl"
    writers = [RotatedBetweenProcesses(path, max_bytes=400, kept=50) for _ in range(2)]
    expected = [f"line {number:03} of all" for number in range(200)]
    for number, line in enumerate(expected):
        writers[number % 2].emit(logging.makeLogRecord({"msg": line}))
    for writer in writers:
        writer.close()
    files = sorted(path for path in tmp_path.glob("shared.jsonl*") if path.suffix != ".lock")
    found = [line for file in files for line in file.read_text("utf-8").splitlines()]
    assert sorted(found) == expected
    assert all(file.stat().st_size <= 400 for file in files)


def test_a_file_found_too_long_by_two_writers_is_rotated_once(tmp_path: Path) -> None:
    path = tmp_path / "shared.jsonl"
    first, second = (RotatedBetweenProcesses(path, max_bytes=24, kept=50) for _ in range(2))
    first.emit(logging.makeLogRecord({"msg": "old " * 5}))
    late = logging.makeLogRecord({"msg": "late " * 4})
    assert second.shouldRollover(late)
    first.emit(logging.makeLogRecord({"msg": "new"}))
    second.doRollover()
    second.emit(logging.makeLogRecord({"msg": "too"}))
    first.close()
    second.close()
    assert path.read_text("utf-8").split() == ["new", "too"]
    assert not (tmp_path / "shared.jsonl.2").exists()


def test_a_file_that_was_removed_is_begun_again(tmp_path: Path) -> None:
    writer = RotatedBetweenProcesses(tmp_path / "some.jsonl")
    writer.emit(logging.makeLogRecord({"msg": "gone"}))
    (tmp_path / "some.jsonl").unlink()
    writer.emit(logging.makeLogRecord({"msg": "kept"}))
    writer.close()
    assert (tmp_path / "some.jsonl").read_text("utf-8") == "kept\n"


def test_lines_that_cannot_be_written_leave_no_traceback_and_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("pm", tmp_path, stderr=False)
    log = structlog.get_logger()
    log.info("before")
    file = tmp_path / "logs" / "pm.jsonl"
    away = file.rename(tmp_path / "away")
    file.mkdir()  # nothing can be written to a folder
    log.info("lost")
    log.info("lost too")
    file.rmdir()
    away.rename(file)
    with file.open("a") as torn:
        torn.write('{"event": "half a li')
    log.info("after")
    assert capsys.readouterr().err == ""
    kept = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
    assert [line["event"] for line in kept] == [
        "before",
        "2 lines could not be written before this one",
        "after",
    ]


def test_a_closed_terminal_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", closed)
    configure("pm", tmp_path)
    closed.close()
    structlog.get_logger().info("said")
    assert [line["event"] for line in lines(tmp_path)] == ["said"]


def test_what_a_library_warns_of_is_told_in_a_word(tmp_path: Path) -> None:
    configure("pm", tmp_path)
    try:
        raise ConnectionRefusedError(111, "nobody listens")
    except ConnectionRefusedError:
        logging.getLogger("asyncpg").warning("trying again", exc_info=True)
        logging.getLogger("asyncpg").error("giving up", exc_info=True)
    warned, failed = lines(tmp_path)
    assert warned["problem"] == "ConnectionRefusedError(111, 'nobody listens')"
    assert "exception" not in warned
    assert "Traceback" in str(failed["exception"])


def test_a_token_of_ours_is_masked_though_nobody_named_it(tmp_path: Path) -> None:
    configure("gateway", tmp_path)
    structlog.get_logger().info("sent GET /enter?token=aps_0123456789ab_" + "Ab-_" * 10 + "xyz&then=/")
    assert lines(tmp_path, "gateway")[0]["event"] == "sent GET /enter?token=******&then=/"
