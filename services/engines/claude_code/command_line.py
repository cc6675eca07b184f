"""How a task becomes a command line and an environment of the program."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from schemas.engine import FailureKind
from services.engines.claude_code.answer_schema import answer_schema_text
from services.engines.confined.credential import Credential, Kind
from services.engines.port import Task

READING = ("Read", "Glob", "Grep")
WRITING = (*READING, "Edit", "Write", "Bash")
# A denied one makes what is said about changes doubtful. A denied command is not among them: the model is
# told of it and goes on without, and what it changed by others is seen in the work tree.
CHANGING = frozenset({"Edit", "Write", "NotebookEdit"})
PROMPT_BYTES = 10_000_000  # the program reads no more
NO_COMMAND = "The task:\n"  # a prompt that begins with a slash is taken for a command of the program
ARGUMENT_BYTES = 120_000  # the kernel takes 131,072 for one argument
# The program wants a credential of the right kind before it sends a request; the proxy replaces it.
NO_KEY = {
    Kind.KEY: ("ANTHROPIC_API_KEY", "sk-ant-none-of-it-is-here"),
    Kind.TOKEN: ("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-none-of-it-is-here"),
}
ALWAYS = (
    *("--print", "--output-format", "stream-json", "--verbose"),
    *("--safe-mode", "--setting-sources", "", "--strict-mcp-config", "--disable-slash-commands"),
)


class Unaskable(Exception):  # noqa: N818 -- says what is wrong with the task
    """The task cannot be put to the program: a part of it is empty or too long."""

    def __init__(self, kind: FailureKind, reason: str) -> None:
        """Name the kind of failure that asking would end in."""
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True)
class Manner:
    """How the program is to treat its API: how often to try again, how long to wait for an answer."""

    retries: int = 2
    answer_seconds: float = 600.0


def arguments(task: Task[Any], session: str, *, resumes: bool) -> tuple[str, ...]:
    """Return what follows the program's name; the prompt itself goes to its standard input.

    Raises Unaskable.
    """
    answer: type[BaseModel] = task.answer
    given = [*ALWAYS, "--json-schema", _argument(answer_schema_text(answer))]
    given += ["--append-system-prompt", _argument(task.system)] if task.system else []
    given += ["--model", task.model] if task.model else []
    given += ["--max-turns", str(task.bounds.turns)]
    given += ["--max-budget-usd", f"{task.bounds.cost_micros / 1e6:.6f}"]
    given += ["--resume" if resumes else "--session-id", session]
    return (*given, *_permissions(task))


def standard_input(task: Task[Any]) -> bytes:
    """Return the prompt as it goes to standard input. Raises Unaskable."""
    prompt = task.prompt.strip()
    if not prompt:
        raise Unaskable(FailureKind.NOT_CAPABLE, "the prompt is empty")
    content = (f"{NO_COMMAND}{prompt}" if prompt.startswith("/") else prompt).encode("utf-8", "replace")
    if len(content) > PROMPT_BYTES:
        raise Unaskable(FailureKind.CONTEXT_TOO_LARGE, f"a prompt of {len(content)} bytes is too long")
    return content


def environment(credential: Credential, home: str, manner: Manner) -> dict[str, str]:
    """Return its environment, without anything secret in it."""
    name, value = NO_KEY[credential.kind]
    return {
        name: value,
        "HOME": home,
        "API_TIMEOUT_MS": str(int(manner.answer_seconds * 1000)),
        "CLAUDE_CODE_MAX_RETRIES": str(manner.retries),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
        "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def _permissions(task: Task[Any]) -> tuple[str, ...]:
    """Offer tools by what the task may do; what would ask a person is denied, for none is there.

    Edits are accepted below the work tree alone. Commands may run, for the sandbox is around them.
    """
    if task.worktree is None:
        return ("--tools", "", "--permission-mode", "dontAsk")
    if not task.may_write:
        return ("--tools", ",".join(READING), "--permission-mode", "dontAsk")
    return ("--tools", ",".join(WRITING), "--permission-mode", "acceptEdits", "--allowedTools", "Bash")


def _argument(text: str) -> str:
    if len(text.encode()) > ARGUMENT_BYTES:
        reason = f"a system prompt or answer schema of {len(text.encode())} bytes is too long"
        raise Unaskable(FailureKind.CONTEXT_TOO_LARGE, reason)
    return text
