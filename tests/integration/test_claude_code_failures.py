"""Every way in which asking Claude Code fails, with the real program wherever it is the one that fails."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from schemas.engine import FailureKind
from services.engines.port import Answered, Bounds, Failed
from services.sandbox import tree
from services.sandbox.detect import detect
from tests.claude_asking import (
    USUAL,
    Verdict,
    claude,
    no_process_left,
    program,
    question,
    quiet,
    worktree_in,
)
from tests.messages_api import Break, MessagesApi, Refuse, Say, Step, Use, answers

SLACK = 30.0  # seconds that a busy machine takes to end what has reached its limit
BIG = 5_000_000
READS = Use("Read", {"file_path": "a.txt"})


@dataclass(frozen=True)
class Row:
    """What the API does, and the one outcome it ends in."""

    kind: FailureKind
    steps: Sequence[Step]
    bounds: Bounds = USUAL
    retry_after: float | None = None
    says: str = ""
    may_write: bool = False


def refused(kind: FailureKind, status: int, type: str, message: str) -> Row:
    return Row(kind, [Refuse(status, type, message)])


K = FailureKind
BY_THE_API = {
    "401": refused(K.UNAUTHORIZED, 401, "authentication_error", "invalid x-api-key"),
    "no credit": refused(K.UNAUTHORIZED, 400, "invalid_request_error", "Your credit balance is too low"),
    "429": Row(
        K.RATE_LIMITED, [Refuse(429, "rate_limit_error", "slow down", {"retry-after": "7"})], retry_after=7.0
    ),
    "500": refused(K.SERVER_ERROR, 500, "api_error", "oops"),
    "529": refused(K.OVERLOADED, 529, "overloaded_error", "Overloaded"),
    "hang": Row(K.TIMED_OUT, [Break("hangs")], bounds=replace(USUAL, seconds=4.0)),
    "cut stream": Row(K.CUT_OFF, [Break("cuts")]),
    "missing structured output": Row(K.NO_ANSWER, [Say("Looks fine.")], says="Looks fine."),
    "wrong structured output": Row(K.INVALID_ANSWER, [answers(verdict=7)], says="count"),
    "denied tool": Row(
        K.TOOL_DENIED,
        [Use("Write", {"file_path": "/etc/aps", "content": "x"}), answers(verdict="done", count=1)],
        says="Write",
        may_write=True,
    ),
    "turns exhausted": Row(K.TURNS_EXHAUSTED, [READS], bounds=replace(USUAL, turns=2)),
    "budget flag": Row(K.BUDGET_EXHAUSTED, [READS], bounds=replace(USUAL, cost_micros=1)),
    "answer of 5 MB in one line": Row(K.TOO_LARGE, [answers(verdict="x" * BIG, count=1)], says="5000"),
    "unknown model": refused(K.UNKNOWN_MODEL, 404, "not_found_error", "model: nobody-knows-it"),
    "context too large": refused(
        K.CONTEXT_TOO_LARGE,
        400,
        "invalid_request_error",
        "prompt is too long: 250000 tokens > 200000 maximum",
    ),
    "refusal": Row(K.REFUSED, [Say("", stop="refusal")]),
}


@pytest.mark.parametrize("name", BY_THE_API)
async def test_what_the_api_does_ends_in_one_outcome(name: str, tmp_path: Path) -> None:
    row, worktree = BY_THE_API[name], worktree_in(tmp_path)
    async with MessagesApi({"it": row.steps}).serving() as api:
        engine = claude(tmp_path, api.url("it"), await detect())
        with no_process_left():
            asking = engine.ask(question(worktree, may_write=row.may_write, bounds=row.bounds), quiet)
            outcome = await asyncio.wait_for(asking, row.bounds.seconds + SLACK)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retry_after) == (row.kind, row.retry_after), outcome.reason
    assert row.says in outcome.reason
    assert outcome.reason.isprintable()
    assert sorted(path.name for path in worktree.iterdir()) == ["a.txt"]


async def test_an_answer_of_5_mb_in_one_line_is_taken_where_it_may_be_that_long(tmp_path: Path) -> None:
    bounds = replace(USUAL, answer_bytes=2 * BIG)
    async with MessagesApi({"big": [answers(verdict="x" * BIG, count=1)]}).serving() as api:
        outcome = await claude(tmp_path, api.url("big"), await detect()).ask(question(bounds=bounds), quiet)
    assert isinstance(outcome, Answered)
    assert outcome.value == Verdict(verdict="x" * BIG, count=1)
    assert len(outcome.transcript) < BIG / 4


async def test_a_program_that_is_killed_is_no_answer(tmp_path: Path) -> None:
    async with MessagesApi({"hangs": [Break("hangs")]}).serving() as api:
        engine = claude(tmp_path, api.url("hangs"), await detect())
        with no_process_left():
            asking = asyncio.create_task(engine.ask(question(), quiet))
            await asyncio.wait_for(api.began.wait(), USUAL.seconds)
            os.kill(running(program().resolve()), signal.SIGKILL)
            outcome = await asyncio.wait_for(asking, SLACK)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.KILLED
    assert outcome.session


async def test_an_api_that_nobody_serves_is_unreachable(tmp_path: Path) -> None:
    outcome = await claude(tmp_path, "http://127.0.0.1:9", await detect()).ask(question(), quiet)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.UNREACHABLE


async def test_a_session_that_nobody_had_is_told(tmp_path: Path) -> None:
    engine = claude(tmp_path, "http://127.0.0.1:9", await detect())
    for unknown in ("e0a5ab3c-6a1c-4a9f-8d61-54a1d6c4a2ff", "../../etc"):
        outcome = await engine.ask(question(session=unknown), quiet)
        assert isinstance(outcome, Failed)
        assert outcome.kind is FailureKind.NO_SESSION


async def test_a_prompt_of_the_system_that_no_argument_can_hold_is_told(tmp_path: Path) -> None:
    task = replace(question(), system="x" * 200_000)
    outcome = await claude(tmp_path, "http://127.0.0.1:9", await detect()).ask(task, quiet)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.CONTEXT_TOO_LARGE


async def test_a_work_tree_that_is_not_there_is_told(tmp_path: Path) -> None:
    engine = claude(tmp_path, "http://127.0.0.1:9", await detect())
    outcome = await engine.ask(question(tmp_path / "nowhere"), quiet)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.NOT_CAPABLE


TELLS_VERSION = 'if [ "$1" = --version ]; then echo "2.1.330 (Claude Code)"; exit; fi'
BY_ANOTHER_PROGRAM = {
    "too old": ("echo '1.0.3 (Claude Code)'; exit", K.TOO_OLD, "1.0.3"),
    "of another kind": ("echo 'cat (GNU coreutils) 9.1'; exit", K.NOT_INSTALLED, "version"),
    "knows no such flag": ("echo \"error: unknown option '--safe-mode'\" >&2; exit 1", K.TOO_OLD, "option"),
    "garbage on stdout": ("head -c 300000 /dev/urandom", K.GARBLED, "no result"),
    "words on stdout": ("echo '<html>proxy login</html>'; exit 1", K.GARBLED, "proxy login"),
    "half a result": ('printf \'{"type":"result","subtype":"succ\'', K.GARBLED, "no result"),
    "a result of other parts": ('echo \'{"type":"result","num_turns":"x"}\'', K.GARBLED, "no result"),
    "a line without end": ("head -c 40000000 /dev/zero | tr '\\0' x", K.TOO_LARGE, "line"),
    "nothing at all": ("exit 0", K.GARBLED, "nothing said"),
    "a death by itself": ("kill -SEGV $$", K.KILLED, "signal"),
    "an end on request": ("exit 143", K.KILLED, "signal"),
}
WITHOUT_VERSION = ("too old", "of another kind")


@pytest.mark.parametrize("name", BY_ANOTHER_PROGRAM)
async def test_a_program_that_is_not_what_it_should_be_is_told(name: str, tmp_path: Path) -> None:
    script, kind, says = BY_ANOTHER_PROGRAM[name]
    path = tmp_path / "claude"
    first = "" if name in WITHOUT_VERSION else TELLS_VERSION
    path.write_text(f"#!/bin/sh\n{first}\n{script}\n")
    path.chmod(0o755)
    engine = claude(tmp_path, "http://127.0.0.1:9", await detect(), path=path)
    with no_process_left():
        outcome = await engine.ask(question(), quiet)
    assert isinstance(outcome, Failed)
    assert outcome.kind is kind, outcome.reason
    assert says in outcome.reason
    assert outcome.reason.isprintable()


async def test_a_missing_program_is_told_with_its_cure(tmp_path: Path) -> None:
    engine = claude(tmp_path, "http://127.0.0.1:9", await detect(), path=tmp_path / "claude")
    readiness, outcome = await engine.check(), await engine.ask(question(), quiet)
    assert not readiness.ready
    assert "npm install" in readiness.cure
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.NOT_INSTALLED


def running(path: Path) -> int:
    """The process below this one that executes `path`."""
    found = []
    for pid in tree.descendants(os.getpid()):
        try:
            if Path(f"/proc/{pid}/exe").readlink() == path:
                found.append(pid)
        except OSError:  # it has ended
            continue
    assert len(found) == 1, found
    return found[0]
