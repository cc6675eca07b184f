"""The engine: asks the Claude Code program, confined to a sandbox, with one API and no credential in it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from schemas.engine import FailureKind
from services.engines.claude_code import installed, judging
from services.engines.claude_code.command_line import (
    Manner,
    Unaskable,
    arguments,
    environment,
    standard_input,
)
from services.engines.claude_code.installed import Installed, Problem
from services.engines.claude_code.json_lines import Lines
from services.engines.claude_code.messages import Final, NoMessage, parse
from services.engines.claude_code.reading import ToolReading
from services.engines.claude_code.sessions import Session, Sessions
from services.engines.claude_code.telling import Turns
from services.engines.confined import program
from services.engines.confined.api_proxy import Api
from services.engines.confined.credential import Credential
from services.engines.confined.program import Program
from services.engines.line import one_line
from services.engines.port import (
    Ability,
    Answered,
    AnswerT,
    Failed,
    Readiness,
    Task,
    Tell,
)
from services.engines.transcript import Hidden, Transcript
from services.sandbox.port import MIB, Command, Limits, NoSandbox, Sandbox, Unrunnable

API = "https://api.anthropic.com"
CALLS = frozenset({"/v1/messages", "/v1/messages/count_tokens"})
CALLS_PER_TURN = 6  # tries again, agents of its own, counting of tokens
VERSION_LIMITS = Limits(wall_seconds=20.0)
CLOSED = ".git"
USUAL = Manner()


@dataclass(frozen=True)
class Settings:
    """What the engine is given: its program (None: the one on PATH), what opens its API, and where that is.

    `homes` is the folder for its sessions.
    """

    credential: Credential
    homes: Path
    path: Path | None = None
    base: str = API
    manner: Manner = USUAL


class ClaudeCode:
    """Asks Claude Code."""

    name = "claude_code"
    abilities = frozenset({Ability.EDITS, Ability.SESSIONS})

    def __init__(self, settings: Settings, sandbox: Sandbox) -> None:
        self._settings = settings
        self._sandbox = sandbox
        self._hidden = Hidden(settings.credential.secret.get_secret_value())
        self._sessions = Sessions(settings.homes)
        self._version: tuple[Installed, str] | None = None

    async def check(self) -> Readiness:
        """Look for the program and ask it for its version; nothing leaves the machine."""
        match await self._ready():
            case Problem() as wrong:
                return Readiness(ready=False, problem=wrong.problem, cure=wrong.cure)
            case (_, version):
                return Readiness(ready=True, version=version)

    async def ask(self, task: Task[AnswerT], tell: Tell) -> Answered[AnswerT] | Failed:
        """Run the program once for `task`."""
        try:
            ready = await self._ready()
            if isinstance(ready, Problem):
                return Failed(ready.kind, f"{ready.problem}; {ready.cure}")
            session = self._sessions.find(task.session) if task.session else self._sessions.begin()
            if session is None:
                return Failed(FailureKind.NO_SESSION, f"there is no session {task.session[:50]!r}")
            return await self._run(task, session, ready, tell)
        except Unaskable as error:
            return Failed(error.kind, one_line(str(error)))
        except (NoSandbox, Unrunnable) as error:
            return Failed(FailureKind.NOT_CAPABLE, one_line(str(error)))

    async def _ready(self) -> tuple[Installed, str] | Problem:
        found = installed.find(self._settings.path)
        if isinstance(found, Problem):
            return found
        if self._version is not None and self._version[0] == found:
            return self._version
        command = Command((str(found.path), "--version"), Path("/"), readable=found.seen)
        result = await self._sandbox.run(command, VERSION_LIMITS)
        version = installed.judge_version(result.stdout.decode("utf-8", "replace"))
        if isinstance(version, Problem):
            return version
        self._version = (found, version)
        return self._version

    async def _run(
        self, task: Task[AnswerT], session: Session, ready: tuple[Installed, str], tell: Tell
    ) -> Answered[AnswerT] | Failed:
        found, version = ready
        hearing = _Hearing(
            self._hidden, tell, ToolReading(task.worktree), longest=8 * MIB + 5 * task.bounds.answer_bytes
        )
        started = self._program(task, session, found)
        await asyncio.to_thread(self._hand_over, task, session)
        api = Api(
            self._settings.base, self._settings.credential, CALLS, CALLS_PER_TURN * (task.bounds.turns + 1)
        )
        limits = Limits(wall_seconds=task.bounds.seconds, output_bytes=64 * 1024)
        ran = await program.run(self._sandbox, started, api, limits, hearing.add)
        hearing.end()
        left = judging.Left(ran.result, hearing.final, ran.trouble, hearing.noise, hearing.overlong)
        spent = judging.spent(left, self._settings.credential.billing, session.counted())
        if left.final is not None:
            session.count(judging.total(left.final))
        verdict = judging.judge(left, task)
        transcript, read = hearing.transcript.contents(), hearing.reading.read()
        if verdict.value is not None:
            return Answered(verdict.value, spent, session.id, transcript, version, read)
        kind = verdict.kind or FailureKind.GARBLED
        reason = self._hidden.text(verdict.reason)
        return Failed(kind, reason, spent, session.id, transcript, version, verdict.retry_after, read)

    def _program(self, task: Task[AnswerT], session: Session, found: Installed) -> Program:
        tree = task.worktree
        writable, readable = [session.home, session.empty], list(found.seen)
        if tree is not None:
            (writable if task.may_write else readable).append(tree)
            readable += [tree / CLOSED] if task.may_write and (tree / CLOSED).exists() else []
        settings = self._settings
        return Program(
            argv=(str(found.path), *arguments(task, session.id, resumes=bool(task.session))),
            cwd=tree or session.empty,
            api_variable="ANTHROPIC_BASE_URL",
            env=environment(settings.credential, str(session.home), settings.manner),
            writable=tuple(writable),
            readable=tuple(readable),
            stdin=standard_input(task),
        )

    def _hand_over(self, task: Task[AnswerT], session: Session) -> None:
        self._sandbox.hand_over(session.home)
        self._sandbox.hand_over(session.empty)
        if task.worktree is not None and task.may_write:
            self._sandbox.hand_over(task.worktree)


class _Hearing:
    """Takes the program's output as it comes: keeps it, tells of it, waits for the result object."""

    def __init__(self, hidden: Hidden, tell: Tell, reading: ToolReading, longest: int) -> None:
        self.final: Final | None = None
        self.noise = ""
        self.transcript = Transcript()
        self.reading = reading
        self._hidden = hidden
        self._tell = tell
        self._lines = Lines(longest)
        self._turns = Turns()

    @property
    def overlong(self) -> bool:
        return self._lines.overlong

    def add(self, piece: bytes) -> None:
        for line in self._lines.add(piece):
            self._take(self._hidden.bytes(line))

    def end(self) -> None:
        for line in self._lines.end():
            self._take(self._hidden.bytes(line))

    def _take(self, line: bytes) -> None:
        self.transcript.add(line)
        try:
            said = parse(line)
        except NoMessage:
            self.noise = self.noise or one_line(line[:2000].decode("utf-8", "replace"))
            return
        if isinstance(said, Final):
            self.final = said
        if said is not None:
            self.reading.add(said)
        for sign in self._turns.signs(said) if said is not None else ():
            self._tell(sign)
