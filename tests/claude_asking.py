"""The real Claude Code program for the tests, and a small task to ask it. The key is made up."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.base import Frozen
from services.engines.claude_code.command_line import Manner
from services.engines.claude_code.engine import ClaudeCode, Settings
from services.engines.confined.credential import Credential, Kind
from services.engines.port import Bounds, Progress, Task
from services.sandbox import tree
from services.sandbox.port import Sandbox

KEY = "made-up-key-of-these-tests"
SECONDS = 60.0  # of one call, on a machine that does much else
USUAL = Bounds(seconds=SECONDS, turns=10)


class Verdict(Frozen):
    """The answer asked for."""

    verdict: str
    count: int


def program() -> Path:
    """Where `make setup-test` puts the program."""
    path = Path(sys.prefix) / "programs" / "claude"
    if not path.exists():
        pytest.fail("Claude Code is not installed: run `make setup-test`")
    return path


def claude(
    home: Path,
    base: str,
    sandbox: Sandbox,
    *,
    path: Path | None = None,
    kind: Kind = Kind.KEY,
    retries: int = 0,
) -> ClaudeCode:
    """An engine whose API is at `base`."""
    credential = Credential(kind, SecretStr(KEY))
    settings = Settings(credential, home / "sessions", path or program(), base, Manner(retries))
    return ClaudeCode(settings, sandbox)


def question(
    worktree: Path | None = None, *, may_write: bool = False, session: str = "", bounds: Bounds = USUAL
) -> Task[Verdict]:
    """A task."""
    return Task(
        "judging",
        system="Judge.",
        prompt="Is it good?",
        answer=Verdict,
        worktree=worktree,
        may_write=may_write,
        session=session,
        bounds=bounds,
    )


def worktree_in(folder: Path) -> Path:
    """A small tree that every user may read."""
    worktree = folder / "tree"
    worktree.mkdir()
    worktree.chmod(0o755)
    (worktree / "a.txt").write_text("one\n")
    return worktree


def quiet(_: Progress) -> None:
    """Hear nothing."""


@contextmanager
def no_process_left() -> Iterator[None]:
    """Fail when a process below this one has come and stayed; what prepares the next run goes by itself."""
    before = set(tree.descendants(os.getpid()))
    yield
    limit = time.monotonic() + 2.0
    while (left := set(tree.descendants(os.getpid())) - before) and time.monotonic() < limit:
        time.sleep(0.02)
    assert not left
