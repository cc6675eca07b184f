"""What the service commands decide and show, without any server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.cli.care.erasing import looks_like_data_folder, own
from services.cli.care.examinations import version_of
from services.cli.care.log_reading import Choice, Found, Tail, ends, last, shown_as
from services.gateway.health import Component, State, summed
from services.runtime.data_folder import DataFolder
from services.runtime.effective import effective
from services.runtime.settings import load


def line(time: int, event: str, level: str = "info", service: str = "qa", **more: object) -> str:
    told = {"event": event, "service": service, "level": level, "time": f"2026-11-23T00:00:{time:02}.123456Z"}
    return json.dumps({**told, **more})


def write(file: Path, *lines: str) -> None:
    with file.open("a", encoding="utf-8") as open_file:
        open_file.writelines(f"{one}\n" for one in lines)


def events(found: list[Found]) -> list[str]:
    return [one.line.event for one in found]


def test_the_lines_of_all_processes_come_in_the_order_of_time(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", line(1, "one"), line(4, "four"))
    write(tmp_path / "b.jsonl", line(2, "two"), line(3, "three"))
    assert events(last(tmp_path, Choice(), 10, {})) == ["one", "two", "three", "four"]
    assert events(last(tmp_path, Choice(), 2, {})) == ["three", "four"]
    assert last(tmp_path, Choice(), 0, {}) == []


def test_rotated_files_are_read_youngest_first_until_there_are_enough(tmp_path: Path) -> None:
    for age, name in enumerate(("qa.jsonl", "qa.jsonl.1", "qa.jsonl.2", "qa.jsonl.10")):
        write(tmp_path / name, line(9 - age, name))
    assert events(last(tmp_path, Choice(), 3, {})) == ["qa.jsonl.2", "qa.jsonl.1", "qa.jsonl"]
    assert len(last(tmp_path, Choice(), 9, {})) == 4


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        (Choice("debug"), ["d", "i", "w", "e", "c"]),
        (Choice("warning"), ["w", "e", "c"]),
        (Choice("error"), ["e", "c"]),
        (Choice("debug", ("pm",)), ["w"]),
        (Choice("error", ("pm",)), []),
        (Choice("debug", ("pm", "qa")), ["d", "i", "w", "e", "c"]),
    ],
)
def test_lines_are_chosen_by_level_and_service(tmp_path: Path, choice: Choice, found: list[str]) -> None:
    levels = [("d", "debug"), ("i", "info"), ("w", "warning"), ("e", "error"), ("c", "critical")]
    for n, (event, level) in enumerate(levels):
        write(tmp_path / "x.jsonl", line(n, event, level, service="pm" if event == "w" else "qa"))
    assert events(last(tmp_path, choice, 10, {})) == found


def test_what_is_no_line_of_ours_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", "Traceback", "", "[1]", line(1, "ours"), '{"event": "torn')
    write(tmp_path / "nats-server.log", line(2, "not a service"))
    assert events(last(tmp_path, Choice(), 10, {})) == ["ours"]


def test_following_begins_where_the_last_lines_ended(tmp_path: Path) -> None:
    file = tmp_path / "qa.jsonl"
    write(file, line(1, "before"))
    with file.open("a") as torn:
        torn.write(line(2, "half")[:20])
    begun = ends(tmp_path)
    tail = Tail(file, begun[file])
    assert events(last(tmp_path, Choice(), 10, begun)) == ["before"]
    assert events(list(tail.fresh())) == []
    with file.open("a") as rest:
        rest.write(line(2, "half")[20:] + "\n")
    assert events(list(tail.fresh())) == ["half"]
    tail.close()


def test_following_goes_on_through_a_rotation_and_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "qa.jsonl"
    write(file, line(1, "one"))
    tail = Tail(file, 0)
    assert events(list(tail.fresh())) == ["one"]
    write(file, line(2, "two"))
    file.rename(tmp_path / "qa.jsonl.1")
    write(file, line(3, "three"))
    seen = events(list(tail.fresh())) + events(list(tail.fresh()))
    assert seen == ["two", "three"]
    tail.close()


HOSTILE = "\x1b[2J\x9b31m\u202egnp\r\n{}"


@pytest.mark.parametrize("as_json", [True, False])
def test_no_line_reaches_a_terminal_as_a_control(tmp_path: Path, as_json: bool) -> None:
    logged: dict[str, Any] = {"event": HOSTILE, "service": HOSTILE, "level": HOSTILE, "exception": HOSTILE}
    text = json.dumps({**logged, HOSTILE: HOSTILE, "time": HOSTILE, "🎉": "\U000e0041"}, ensure_ascii=False)
    write(tmp_path / "x.jsonl", text)
    (found,) = last(tmp_path, Choice(), 1, {})
    shown = shown_as(found, as_json=as_json)
    assert all(character.isprintable() or character == "\n" for character in shown)
    if as_json:
        assert json.loads(shown) == json.loads(text)


def test_a_readable_line_names_what_is_bound_to_it(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", line(1, "suite ended", "error", passed=3, exception="Traceback\n  boom"))
    (found,) = last(tmp_path, Choice(), 1, {})
    assert shown_as(found, as_json=False) == (
        "2026-11-23 00:00:01.123 error   qa        suite ended  passed=3\n    Traceback\n      boom"
    )


def test_settings_are_shown_without_their_secrets(tmp_path: Path) -> None:
    settings = load(
        {
            "APS_HOME": str(tmp_path),
            "NATS_URL": "nats://me:topsecret@one:4222,nats://tokensecret@two:4222",
            "DATABASE_URL": "postgresql://aps:p?@ss/secret@host:5432/aps?password=secret",
            "SECRET_KEY_BASE": "secret" * 8,
            "APS_NATS_PM_PASSWORD": "secretly",
            "N8N_API_KEY": "keysecret://x",
            "APS_PORT": "4100",
        }
    )
    found = {name: value for name, value, _ in effective(settings)}
    assert "secret" not in repr(found)
    assert found["NATS_URL"] == "nats://******@one:4222,nats://******@two:4222"
    assert found["DATABASE_URL"] == "postgresql://******@host:5432/aps"
    assert found["SECRET_KEY_BASE"] == found["APS_NATS_PM_PASSWORD"] == "******"
    assert found["APS_PORT"] == 4100
    given = {name for name, _, given in effective(settings) if given}
    assert {"APS_PORT", "NATS_URL"} <= given
    assert "APS_AUTONOMY" not in given


def test_a_folder_is_removed_from_only_when_it_is_a_data_folder(tmp_path: Path) -> None:
    assert not looks_like_data_folder(tmp_path)
    for name in ("servers", "credentials", "logs", "src"):
        (tmp_path / name).mkdir()
    assert looks_like_data_folder(tmp_path)
    assert [path.name for path in own(tmp_path)] == ["logs"]
    (tmp_path / ".git").mkdir()
    assert not looks_like_data_folder(tmp_path)


def test_every_folder_of_the_layout_is_removed(tmp_path: Path) -> None:
    folders = {name for name, value in vars(DataFolder).items() if isinstance(value, property)}
    assert "engines" in folders
    for name in folders:
        getattr(DataFolder(tmp_path), name).mkdir()
    assert {path.name for path in own(tmp_path)} == folders - {"servers", "credentials"}


@pytest.mark.parametrize(
    ("text", "version"), [("2.39.5", (2, 39, 5)), ("2.38.GIT", (2, 38)), ("2.53.0-rc1", (2, 53)), ("?", ())]
)
def test_versions_compare_by_their_leading_numbers(text: str, version: tuple[int, ...]) -> None:
    assert version_of(text) == version


@pytest.mark.parametrize(
    ("states", "whole"),
    [("", "ok"), ("ok ok", "ok"), ("ok degraded", "degraded"), ("degraded failed ok", "failed")],
)
def test_the_whole_is_as_well_as_its_worst_part(states: str, whole: str) -> None:
    components = [Component(name="x", state=State(state), detail="") for state in states.split()]
    assert summed(components).state == whole
