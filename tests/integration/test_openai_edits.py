"""The edit protocol over the wire: what a model may do to a work tree, and what it is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.engine import FailureKind
from services.engines.port import Answered, Failed
from tests.chat_api import ChatApi, calls, chat_api, error, refuses, says
from tests.openai_asking import GOOD, asked, bounds, question


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "src").mkdir(parents=True)
    (root / "src/short.py").write_bytes(b"x = 1\r\ny = 2\n")
    (root / ".git/hooks").mkdir(parents=True)
    (root / ".git/config").write_text("[core]\n")
    return root


def told(api: ChatApi, turn: int = 1) -> list[Any]:
    """What the tools answered, as the request of a later turn repeats it."""
    return [json.loads(each["content"]) for each in api.bodies[turn]["messages"] if each["role"] == "tool"]


async def test_a_model_reads_and_changes_files_and_then_answers(tree: Path) -> None:
    script = (
        calls(("list_files", {"path": "."}), ("read_file", {"path": "src/short.py", "from_line": 1})),
        calls(
            ("replace_in_file", {"path": "src/short.py", "old": "y = 2", "new": "y = 3"}),
            ("write_file", {"path": "tests/new/test_short.py", "content": "def test(): ...\n"}),
        ),
        says(GOOD),
    )
    async with chat_api(*script) as api:
        outcome, progress = await asked(api, question(tree, may_write=True))
    assert isinstance(outcome, Answered)
    assert outcome.spent.turns == 3
    assert (tree / "src/short.py").read_bytes() == b"x = 1\r\ny = 3\n"
    assert (tree / "tests/new/test_short.py").read_text() == "def test(): ...\n"
    assert told(api) == [{"files": ["src/short.py"]}, {"content": "x = 1\r\ny = 2\n", "lines": 2}]
    assert told(api, 2)[2:] == [{"replaced": 1}, {"written": 16}]
    assert [each.text for each in progress if each.kind == "tool"] == [
        "list_files .",
        "read_file src/short.py",
        "replace_in_file src/short.py",
        "write_file tests/new/test_short.py",
    ]
    assert b"replace_in_file" in outcome.transcript


async def test_the_conversation_is_one_that_servers_accept(tree: Path) -> None:
    async with chat_api(calls(("list_files", {"path": "."})), says(GOOD)) as api:
        await asked(api, question(tree))
    _, _, said, answer = api.bodies[1]["messages"]
    assert said["tool_calls"] == [
        {"id": "id-0", "type": "function", "function": {"name": "list_files", "arguments": '{"path": "."}'}}
    ]
    assert (answer["role"], answer["tool_call_id"]) == ("tool", "id-0")


async def test_a_task_that_may_not_write_is_offered_no_tool_that_does(tree: Path) -> None:
    script = (calls(("write_file", {"path": "new.py", "content": ""})), says(GOOD))
    async with chat_api(*script) as api:
        outcome, _ = await asked(api, question(tree))
    assert isinstance(outcome, Answered)
    assert [each["function"]["name"] for each in api.bodies[0]["tools"]] == ["list_files", "read_file"]
    assert "there is no tool 'write_file'" in told(api)[0]["error"]
    assert not (tree / "new.py").exists()


async def test_every_tool_is_offered_by_a_strict_schema(tree: Path) -> None:
    async with chat_api(says(GOOD)) as api:
        await asked(api, question(tree, may_write=True))
    offered = [each["function"] for each in api.bodies[0]["tools"]]
    assert [each["name"] for each in offered] == ["list_files", "read_file", "write_file", "replace_in_file"]
    for each in offered:
        assert each["strict"] is True
        assert each["parameters"]["required"] == list(each["parameters"]["properties"])
        assert each["parameters"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("read_file", "{", "the arguments do not fit"),
        ("read_file", "[]", "the arguments do not fit"),
        ("read_file", {"path": 7}, "path: Input should be a valid string"),
        ("read_file", {"path": "src/short.py", "from_line": 0}, "from_line"),
        ("read_file", {"path": "src/short.py", "mode": "x"}, "mode: Extra inputs are not permitted"),
        ("read_file", {"path": "nothing.py"}, "no such file"),
        ("read_file", {"path": "src"}, "no regular file"),
        ("read_file", {"path": "../outside"}, "leaves the work tree"),
        ("read_file", {"path": "/etc/passwd"}, "is absolute"),
        ("write_file", {"path": ".git/hooks/pre-commit", "content": "x"}, "belongs to git"),
        ("write_file", {"path": "src/.GIT/config", "content": "x"}, "belongs to git"),
        ("write_file", {"path": "src", "content": "x"}, "no regular file"),
        ("write_file", {"path": "src/short.py/x", "content": "x"}, "not a directory"),
        ("replace_in_file", {"path": "src/short.py", "old": "=", "new": ""}, "stands 2 times"),
        ("replace_in_file", {"path": "src/short.py", "old": "", "new": "z"}, "stands 0 times"),
        ("run", {"command": "id"}, "there is no tool 'run'"),
    ],
)
async def test_a_mistake_is_answered_to_the_model(tree: Path, name: str, arguments: Any, said: str) -> None:
    async with chat_api(calls((name, arguments)), says(GOOD)) as api:
        outcome, _ = await asked(api, question(tree, may_write=True))
    assert isinstance(outcome, Answered)
    assert said in told(api)[0]["error"]
    (repeated,) = api.bodies[1]["messages"][2]["tool_calls"]
    assert isinstance(json.loads(repeated["function"]["arguments"]), dict)  # some servers parse them
    assert str(tree) not in told(api)[0]["error"]
    assert (tree / "src/short.py").read_bytes() == b"x = 1\r\ny = 2\n"


async def test_a_secret_in_a_file_is_neither_sent_nor_lost(tree: Path) -> None:
    secret = f"AKIA{'IOSFODNN7EXAMPLQ'}"
    (tree / "settings.py").write_text(f"KEY = '{secret}'\nLIMIT = 1\n")
    script = (
        calls(("read_file", {"path": "settings.py", "from_line": 1})),
        calls(
            ("write_file", {"path": "settings.py", "content": "KEY = '[***]'\nLIMIT = 2\n"}),
            ("replace_in_file", {"path": "settings.py", "old": "LIMIT = 1", "new": "LIMIT = 2"}),
        ),
        says(GOOD),
    )
    async with chat_api(*script) as api:
        await asked(api, question(tree, may_write=True))
    read, refused, done = told(api, 2)
    assert read["content"] == "KEY = '[***]'\nLIMIT = 1\n"
    assert "stands for a secret" in refused["error"]
    assert done == {"replaced": 1}
    assert secret not in json.dumps(api.bodies)
    assert (tree / "settings.py").read_text() == f"KEY = '{secret}'\nLIMIT = 2\n"


async def test_the_key_in_a_file_reaches_neither_the_server_nor_the_transcript(tree: Path) -> None:
    key = "a-key-like-any-words"  # nothing but the key itself tells that it is one
    (tree / "notes.txt").write_text(f"open it by {key}\n")
    async with chat_api(calls(("read_file", {"path": "notes.txt", "from_line": 1})), says(GOOD)) as api:
        outcome, _ = await asked(api, question(tree), key=key)
    assert told(api)[0]["content"] == "open it by [***]\n"
    assert key.encode() not in outcome.transcript


async def test_a_model_that_never_answers_ends_with_its_turns(tree: Path) -> None:
    async with chat_api(calls(("list_files", {"path": "."}))) as api:
        outcome, _ = await asked(api, question(tree, bounds=bounds(turns=5)))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, len(api.requests)) == (FailureKind.TURNS_EXHAUSTED, 5)


async def test_what_was_written_before_a_failure_stays(tree: Path) -> None:
    script = (calls(("write_file", {"path": "a.py", "content": "1\n"})), refuses(500, error("sorry")))
    async with chat_api(*script) as api:
        outcome, _ = await asked(api, question(tree, may_write=True))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.spent.turns) == (FailureKind.SERVER_ERROR, 1)
    assert (tree / "a.py").read_text() == "1\n"


async def test_of_very_many_calls_at_once_the_last_are_refused(tree: Path) -> None:
    many = calls(*[("write_file", {"path": f"{n}.txt", "content": "x"}) for n in range(40)])
    async with chat_api(many, says(GOOD)) as api:
        await asked(api, question(tree, may_write=True))
    assert [("error" in each) for each in told(api)] == [False] * 32 + [True] * 8
    assert [(tree / f"{n}.txt").exists() for n in range(40)] == [True] * 32 + [False] * 8


async def test_a_server_without_tools_is_not_capable_of_a_task_with_files(tree: Path) -> None:
    async with chat_api(refuses(400, error("this model does not support tools"))) as api:
        outcome, _ = await asked(api, question(tree))
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.NOT_CAPABLE


async def test_a_work_tree_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    async with chat_api(says(GOOD)) as api:
        outcome, _ = await asked(api, question(tmp_path / "nowhere"))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, api.requests) == (FailureKind.NOT_CAPABLE, [])


async def test_a_long_file_is_read_in_parts(tree: Path) -> None:
    lines = [f"line {n} {'x' * 90}\n" for n in range(2_000)]
    (tree / "long.txt").write_text("".join(lines))
    script = (
        calls(("read_file", {"path": "long.txt", "from_line": 1})),
        calls(("read_file", {"path": "long.txt", "from_line": 1_990})),
        says(GOOD),
    )
    async with chat_api(*script) as api:
        await asked(api, question(tree))
    first, second = told(api, 2)
    assert len(first["content"]) == 60_000
    assert (first["lines"], first["cut"]) == (2_000, "cut in line 602; read on from there")
    assert second == {"content": "".join(lines[1_989:]), "lines": 2_000}
