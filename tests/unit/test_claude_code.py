"""The parts around Claude Code that need no program: its lines, command line, version, sessions."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from schemas.base import Frozen
from schemas.engine import Billing, FailureKind, Spent
from services.engines.claude_code.answer_schema import answer_schema
from services.engines.claude_code.command_line import (
    Manner,
    Unaskable,
    arguments,
    environment,
    standard_input,
)
from services.engines.claude_code.installed import Installed, Problem, find, judge_version
from services.engines.claude_code.json_lines import Lines
from services.engines.claude_code.messages import NoMessage, Said, parse
from services.engines.claude_code.sessions import Sessions
from services.engines.claude_code.telling import Turns, progress
from services.engines.confined.credential import Credential, Kind
from services.engines.port import Bounds, Progress, Task
from services.engines.transcript import Hidden, Transcript

SECRET = "made-up-secret/with+signs"


class Answer(Frozen):
    verdict: str


def task(worktree: Path | None = None, *, may_write: bool = False) -> Task[Answer]:
    return Task("judging", "Judge.", "Is it?", Answer, worktree=worktree, may_write=may_write)


def told(line: bytes) -> list[Progress]:
    said: Said | None = parse(line)
    return list(progress(said)) if said is not None else []


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=20), st.data())
def test_lines_are_the_same_however_the_stream_is_cut(lines: list[bytes], data: st.DataObject) -> None:
    stream, reader, got = b"\n".join(lines), Lines(longest=100), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += list(reader.add(stream[:size]))
        stream = stream[size:]
    got += list(reader.end())
    assert got == [line for line in lines if line.strip()]


def test_each_message_but_the_first_begins_another_turn() -> None:
    turns, kinds = Turns(), list[str]()
    for id in ("msg_1", "msg_1", "msg_2", "msg_3"):
        line = {"type": "assistant", "message": {"id": id, "content": [{"type": "text", "text": "so"}]}}
        said = parse(orjson.dumps(line))
        assert said is not None
        kinds += [one.text for one in turns.signs(said)]
    assert kinds == ["so", "so", "turn 2", "so", "turn 3", "so"]


def test_a_line_that_is_too_long_is_left_out_and_told() -> None:
    reader = Lines(longest=10)
    got = [*reader.add(b"short\n" + b"x" * 11), *reader.add(b"x\nnext"), *reader.end()]
    assert got == [b"short", b"next"]
    assert reader.overlong


def test_a_transcript_keeps_beginning_and_end() -> None:
    transcript = Transcript(limit=100)
    for number in range(100):
        transcript.add(b'{"n":%d}' % number)
    lines = transcript.contents().splitlines()
    assert lines[0] == b'{"n":0}'
    assert lines[-1] == b'{"n":99}'
    assert b'{"lines_left_out":%d}' % (100 - (len(lines) - 1)) in lines
    assert len(transcript.contents()) < 130


def test_of_a_line_that_is_too_long_a_transcript_keeps_its_length_and_beginning() -> None:
    transcript = Transcript()
    transcript.add(b'{"type":"result","result":"' + b"x" * 5_000_000 + b'"}')
    assert b'"bytes":5000029' in transcript.contents()
    assert b"result" in transcript.contents()
    assert len(transcript.contents()) < 2000


@pytest.mark.parametrize("form", [SECRET, "made-up-secret\\/with+signs", "made-up-secret%2Fwith%2Bsigns"])
def test_a_known_secret_is_hidden_in_the_forms_it_may_take(form: str) -> None:
    hidden = Hidden(SECRET)
    shown = hidden.text(f"before {form} after") if "\\" not in form else hidden.text(f"before {SECRET} after")
    assert "secret" not in shown
    assert shown.startswith("before ")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"type":"system","subtype":"init","model":"m"}', [Progress("turn", "began with m")]),
        (
            b'{"type":"system","subtype":"api_retry","attempt":2,"error_status":529}',
            [Progress("retry", "the API said 529; trying again (2)")],
        ),
        (
            b'{"type":"assistant","message":{"content":[{"type":"text","text":"a\\nb\\u001b[1m"},'
            b'{"type":"tool_use","name":"Bash","input":{"command":"ls\\n-l"}},{"type":"thinking"}]}}',
            [Progress("text", "a b [1m"), Progress("tool", "Bash ls -l")],
        ),
        (b'{"type":"user","message":{}}', []),
        (b'{"type":"result"}', []),
        (b'{"type":"nobody knows it","message":7}', []),
    ],
)
def test_signs_of_life_are_single_lines(line: bytes, expected: list[Progress]) -> None:
    assert told(line) == expected


@pytest.mark.parametrize("line", [b"no json", b"[]", b"7", b'{"type":"assistant","message":7}', b"\xff\xfe"])
def test_what_is_no_message_is_told(line: bytes) -> None:
    with pytest.raises(NoMessage):
        parse(line)


def test_a_task_becomes_arguments() -> None:
    given_ = list(
        arguments(replace(task(), model="m", bounds=Bounds(turns=7, cost_micros=1)), "id", resumes=False)
    )
    assert given_[given_.index("--model") + 1] == "m"
    assert given_[given_.index("--max-turns") + 1] == "7"
    assert given_[given_.index("--max-budget-usd") + 1] == "0.000001"
    assert given_[given_.index("--session-id") + 1] == "id"
    assert given_[given_.index("--append-system-prompt") + 1] == "Judge."
    assert '"verdict"' in given_[given_.index("--json-schema") + 1]
    assert {"--safe-mode", "--strict-mcp-config", "--verbose"} < set(given_)
    assert "Is it?" not in given_  # the prompt is told on standard input, where no process list shows it


def test_a_session_is_resumed_by_its_id() -> None:
    given_ = arguments(task(), "id", resumes=True)
    assert given_[given_.index("--resume") + 1] == "id"
    assert "--session-id" not in given_


@pytest.mark.parametrize(
    ("asked", "tools", "mode"),
    [
        (task(), "", "dontAsk"),
        (task(Path("/tree")), "Read,Glob,Grep", "dontAsk"),
        (task(Path("/tree"), may_write=True), "Read,Glob,Grep,Edit,Write,Bash", "acceptEdits"),
    ],
)
def test_tools_follow_from_what_the_task_may_do(asked: Task[Answer], tools: str, mode: str) -> None:
    given_ = arguments(asked, "id", resumes=False)
    assert given_[given_.index("--tools") + 1] == tools
    assert given_[given_.index("--permission-mode") + 1] == mode


def test_what_no_argument_can_hold_is_refused() -> None:
    with pytest.raises(Unaskable, match="200000 bytes"):
        arguments(replace(task(), system="x" * 200_000), "id", resumes=False)


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("", FailureKind.NOT_CAPABLE),
        (" \n\t", FailureKind.NOT_CAPABLE),
        ("x" * 10_000_001, FailureKind.CONTEXT_TOO_LARGE),
    ],
)
def test_a_prompt_that_cannot_be_put_is_refused(prompt: str, kind: FailureKind) -> None:
    with pytest.raises(Unaskable) as refused:
        standard_input(replace(task(), prompt=prompt))
    assert refused.value.kind is kind


def test_a_prompt_is_never_taken_for_a_command_of_the_program() -> None:
    assert standard_input(replace(task(), prompt=" /help me")) == b"The task:\n/help me"
    assert standard_input(replace(task(), prompt="gr\u00fc\u00df \ud800")) == "gr\u00fc\u00df ?".encode()


class Leaf(Frozen):
    at: datetime | None = None
    kind: Literal["leaf"] = "leaf"


class Tree(Frozen):
    format: tuple[int, str] = (1, "prefixItems")
    kind: Literal["tree"] = "tree"
    below: tuple[Annotated["Tree | Leaf", Field(discriminator="kind")], ...] = ()


def test_a_schema_says_only_what_program_and_api_mean_the_same_by() -> None:
    schema = answer_schema(Tree)
    assert schema["type"] == "object"
    properties, definitions = schema["properties"], schema["$defs"]
    assert isinstance(properties, dict)
    assert isinstance(definitions, dict)
    assert properties["format"] == {
        "default": [1, "prefixItems"],
        "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "maxItems": 2,
        "minItems": 2,
        "title": "Format",
        "type": "array",
    }
    assert set(definitions) == {"Leaf", "Tree"}
    assert "date-time" not in str(schema)
    assert "discriminator" not in str(schema)
    assert "'prefixItems':" not in str(schema)


@pytest.mark.parametrize("kind", Kind)
def test_the_environment_holds_no_credential(kind: Kind) -> None:
    env = environment(Credential(kind, SecretStr(SECRET)), "/home", Manner(retries=3))
    assert SECRET not in str(env)
    assert (env["HOME"], env["CLAUDE_CODE_MAX_RETRIES"]) == ("/home", "3")


def test_a_key_signs_in_place_of_what_was_there() -> None:
    signed = Credential(Kind.KEY, SecretStr(SECRET)).sign(
        {"x-api-key": "none", "authorization": "x", "a": "b"}
    )
    assert signed == {"x-api-key": SECRET, "a": "b"}


def test_a_token_signs_as_a_bearer_and_names_its_beta_once() -> None:
    token = Credential(Kind.TOKEN, SecretStr(SECRET))
    once = token.sign({"x-api-key": "none", "anthropic-beta": "one, two"})
    assert once == {"authorization": f"Bearer {SECRET}", "anthropic-beta": "one,two,oauth-2025-04-20"}
    assert token.sign(once) == once
    assert token.billing is Billing.SUBSCRIPTION


@pytest.mark.parametrize("secret", ["", "short", "two words here", "line\nbreak-in-it", "schlüssel-lang"])
def test_a_credential_that_could_not_be_sent_or_hidden_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Credential(Kind.KEY, SecretStr(secret))


def test_a_credential_does_not_show_itself() -> None:
    assert SECRET not in repr(Credential(Kind.KEY, SecretStr(SECRET)))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2.1.330 (Claude Code)\n", "2.1.330"),
        ("3.0.0 (Claude Code)", "3.0.0"),
        ("2.1.168 (Claude Code)", FailureKind.TOO_OLD),
        ("1.99.999", FailureKind.TOO_OLD),
        ("", FailureKind.NOT_INSTALLED),
        ("v2", FailureKind.NOT_INSTALLED),
    ],
)
def test_a_version_is_new_enough_or_not(said: str, expected: str | FailureKind) -> None:
    verdict = judge_version(said)
    assert (verdict.kind if isinstance(verdict, Problem) else verdict) == expected


def test_a_program_is_found_by_path_and_of_a_package_all_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text("{}")
    script = package / "bin" / "claude"
    script.write_text("#!/usr/bin/env node\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(package / "bin"))
    found = find(None)
    assert isinstance(found, Installed)
    assert (found.path, found.seen) == (script, (package,))
    assert find(script) == found
    script.write_bytes(b"\x7fELF and more")
    binary = find(script)
    assert isinstance(binary, Installed)
    assert binary.seen == (script,)
    assert binary.mark != found.mark


@pytest.mark.parametrize("what", ["nothing", "a folder", "no leave to execute"])
def test_what_is_no_program_is_told_with_a_cure(what: str, tmp_path: Path) -> None:
    path = tmp_path / "claude"
    if what == "a folder":
        path.mkdir()
    elif what != "nothing":
        path.write_text("")
        path.chmod(0o644)
    problem = find(path)
    assert isinstance(problem, Problem)
    assert problem.kind is FailureKind.NOT_INSTALLED
    assert "npm install" in problem.cure


def test_a_session_is_found_again_until_nobody_goes_on_in_it(tmp_path: Path) -> None:
    clock = [1e12]
    sessions = Sessions(tmp_path / "sessions", kept_seconds=100, now=lambda: clock[0])
    old = sessions.begin()
    assert sessions.find(old.id) == old
    sessions.begin()
    assert old.home.is_dir()  # they were looked through a moment ago
    clock[0] += 3600
    sessions.begin()
    assert not old.folder.exists()  # the clock of the test is far ahead of the file's
    assert sessions.find(old.id) is None


@pytest.mark.parametrize("id", ["", "..", "../../etc", "e0a5ab3c-6a1c-4a9f-8d61-54a1d6c4a2ff"])
def test_no_other_folder_is_taken_for_a_session(id: str, tmp_path: Path) -> None:
    assert Sessions(tmp_path).find(id) is None


def test_what_a_session_used_is_remembered_out_of_the_programs_reach(tmp_path: Path) -> None:
    session = Sessions(tmp_path).begin()
    assert session.counted() == Spent()
    session.count(Spent(tokens_in=3, cost_micros=4))
    assert session.counted() == Spent(tokens_in=3, cost_micros=4)
    assert [path.name for path in session.home.iterdir()] == []
