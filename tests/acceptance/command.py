"""Runs `aps` as a person does, with a data folder of the tests."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[2]
# Far more than any cycle here takes: a machine may be busy with other things.
SECONDS = 270
NOT_DONE = "what was asked for was not done"
OURS = ("APS_", "NATS_", "DATABASE_", "N8N_", "CLAUDE_", "OPENAI_", "ANTHROPIC_", "MCP_", "SECRET_KEY")


@dataclass(frozen=True)
class Ended:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @cached_property
    def outcome(self) -> dict[str, Any]:
        """The JSON object on stdout; a request that ended without being done has one too."""
        assert self.code == (1 if NOT_DONE in self.err else 0), self.err
        return dict(orjson.loads(self.out))

    @cached_property
    def statuses(self) -> dict[str, str]:
        """Status by rule."""
        return {one["rule"]: one["status"] for one in self.outcome["improvements"]}

    def id_of(self, rule: str) -> str:
        """Return the id of a rule's improvement."""
        return next(str(one["id"]) for one in self.outcome["improvements"] if one["rule"] == rule)


def environment(home: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a command: the machine's own, our data folder, these settings."""
    machine = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**machine, "PYTHONPATH": str(ROOT), "APS_HOME": str(home), **settings}


def program(*words: str) -> list[str]:
    """Return the command line of `aps`."""
    return [sys.executable, "-m", "services.cli", *words]


def start(home: Path, *words: str, **settings: str) -> subprocess.Popen[str]:
    """Start `aps` in a process group of its own."""
    return subprocess.Popen(
        program(*words),
        cwd=ROOT,
        env=environment(home, **settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait(process: subprocess.Popen[str], seconds: float = SECONDS) -> Ended:
    """Wait for a started command to end; one that does not is killed, and what it said is shown."""
    try:
        out, err = process.communicate(timeout=seconds)
    except BaseException as problem:
        with suppress(ProcessLookupError):  # it may end by itself just now
            os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        problem.add_note(f"it was killed; it had said on stdout:\n{out}\nand on stderr:\n{err}")
        raise
    return Ended(process.returncode, out, err)


def aps(home: Path, *words: str, **settings: str) -> Ended:
    """Run `aps` to its end."""
    return wait(start(home, *words, **settings))


def improve(home: Path, target: Path, *words: str, **settings: str) -> Ended:
    """Run one cycle on a target."""
    return aps(home, "improve", str(target), "--json", *words, **settings)
