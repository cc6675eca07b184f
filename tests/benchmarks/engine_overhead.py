"""What asking Claude Code through the engine port adds to the program's own run, beside bare runs, in turns.

All talk to the same scripted API. A small script around the program notes when it began and ended, so that
what lies outside of its own run is known to the millisecond, however much such runs vary. `port` is the whole
way of a task, `bare` the program started on the host, `sandbox` an empty run in the sandbox alone.
"""

import argparse
import asyncio
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from services.engines.claude_code.command_line import Manner, arguments, environment
from services.engines.claude_code.engine import ClaudeCode
from services.engines.claude_code.sessions import Session, Sessions
from services.engines.confined.credential import Credential, Kind
from services.engines.port import Answered
from services.sandbox.detect import detect
from services.sandbox.port import Command, Limits, Sandbox
from tests.benchmarks.measuring.line import Line, tell
from tests.claude_asking import KEY, claude, program, question, quiet
from tests.messages_api import MessagesApi, answers

SCENARIO = "answers"
ALLOWED_MS = 20.0
NOTING = """#!/bin/sh
date +%s%N >"$HOME/began"
"${0%/*}/program" "$@"
code=$?
date +%s%N >"$HOME/ended"
exit $code
"""


@dataclass
class Times:
    """Milliseconds by round: the whole of one way, and the program's own part of it."""

    whole: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)

    @property
    def outside(self) -> list[float]:
        return [whole - own for whole, own in zip(self.whole, self.own, strict=True)]


@dataclass(frozen=True)
class Bench:
    """The ways, each returning the program's own milliseconds."""

    home: Path
    base: str
    script: Path
    sandbox: Sandbox
    engine: ClaudeCode

    async def bare(self) -> float:
        """Run the program on the host, as a person does."""
        session = Sessions(self.home / "bare").begin()
        credential = Credential(Kind.KEY, SecretStr(KEY))
        own = environment(credential, str(session.home), Manner(retries=0))
        process = await asyncio.create_subprocess_exec(
            *(str(self.script), *arguments(question(), session.id, resumes=False)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=session.empty,
            env={"PATH": os.defpath, "ANTHROPIC_BASE_URL": self.base, **own},
        )
        await process.communicate(question().prompt.encode())
        assert process.returncode == 0
        return noted(session)

    async def port(self) -> float:
        """Ask through the port."""
        outcome = await self.engine.ask(question(), quiet)
        assert isinstance(outcome, Answered), outcome
        session = Sessions(self.home / "sessions").find(outcome.session)
        assert session is not None
        return noted(session)

    async def empty(self) -> float:
        """Run nothing in the sandbox."""
        result = await self.sandbox.run(Command(("true",), Path("/")), Limits())
        assert result.exit_code == 0
        return 0.0


def noted(session: Session) -> float:
    began, ended = (int((session.home / name).read_text()) for name in ("began", "ended"))
    return (ended - began) / 1e6


def package(folder: Path) -> Path:
    """Put the program into a package whose script notes when it runs."""
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    shutil.copy(program().resolve(), folder / "program")
    script = folder / "claude"
    script.write_text(NOTING)
    script.chmod(0o755)
    return script


async def measured(rounds: int, ways: dict[str, Callable[[], Awaitable[float]]]) -> dict[str, Times]:
    """Take all ways once a round, in an order of chance; a round before them is thrown away."""
    times = {name: Times() for name in ways}
    chance = random.Random(1)  # noqa: S311 -- an order, not a secret
    for number in range(rounds + 1):
        for name in chance.sample(sorted(ways), len(ways)):
            begun = time.perf_counter()
            own = await ways[name]()
            if number:
                times[name].whole.append(1000 * (time.perf_counter() - begun))
                times[name].own.append(own)
    return times


def added(name: str, ours: Sequence[float], theirs: Sequence[float], peer: str) -> Line:
    """Return the median of what ours took longer than theirs in the same round, beside what is allowed."""
    value = statistics.median(one - other for one, other in zip(ours, theirs, strict=True))
    return Line(name, round(value, 1), "ms", peer, ALLOWED_MS, round(value / ALLOWED_MS, 3))


async def main() -> None:
    parser = argparse.ArgumentParser(description="what the engine port adds to a run of Claude Code")
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="aps-bench-") as folder:
        home = Path(folder)
        await asyncio.to_thread(home.chmod, 0o755)
        script = await asyncio.to_thread(package, home / "package")
        async with MessagesApi({SCENARIO: [answers(verdict="fine", count=3)]}).serving() as api:
            base, sandbox = api.url(SCENARIO), await detect()
            engine = claude(home, base, sandbox, path=script)
            bench = Bench(home, base, script, sandbox, engine)
            times = await measured(rounds, {"bare": bench.bare, "port": bench.port, "empty": bench.empty})
    port, bare, empty = times["port"], times["bare"], times["empty"]
    begun = [one + other for one, other in zip(bare.outside, empty.whole, strict=True)]
    tell(added("engine_port_without_sandbox", port.outside, begun, "allowed beyond program and sandbox"))
    tell(added("engine_port", port.outside, bare.outside, "allowed beyond the program's own run"))
    tell(Line("engine_sandbox", round(statistics.median(empty.whole), 1), "ms"))
    tell(added("engine_confined_program", port.own, bare.own, "allowed beyond a bare program's own run"))


if __name__ == "__main__":
    asyncio.run(main())
