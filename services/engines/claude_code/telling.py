"""What of the program's lines is a sign of life, as one bounded line each."""

from collections.abc import Iterator

from services.engines.claude_code.messages import Assistant, Block, Final, Init, Retry, Said, User
from services.engines.line import one_line
from services.engines.port import Progress

ANSWER_TOOL = "StructuredOutput"
LONGEST = 200
_SUBJECT = ("file_path", "path", "pattern", "command", "url", "query")


class Turns:
    """Tells of the lines of one run, and of its turns: each message but the first begins another."""

    def __init__(self) -> None:
        self._messages: set[str] = set()

    def signs(self, said: Said) -> Iterator[Progress]:
        """Yield what to tell of the next line."""
        if isinstance(said, Assistant) and said.message.id not in self._messages:
            self._messages.add(said.message.id)
            if (turn := len(self._messages)) > 1:
                yield Progress("turn", f"turn {turn}")
        yield from progress(said)


def progress(said: Said) -> Iterator[Progress]:
    """Yield what to tell of one line."""
    match said:
        case Init():
            yield Progress("turn", one_line(f"began with {said.model}", LONGEST))
        case Retry():
            cause = f"the API said {said.error_status}" if said.error_status else "the API was not reached"
            yield Progress("retry", f"{cause}; trying again ({said.attempt})")
        case Assistant():
            for block in said.message.content:
                yield from _of_block(block)
        case Final() | User():
            return


def subject(block: Block) -> str:
    """Say what a tool is used on."""
    return str(next((block.input[name] for name in _SUBJECT if name in block.input), ""))


def _of_block(block: Block) -> Iterator[Progress]:
    if block.type == "text" and (line := one_line(block.text, LONGEST)):
        yield Progress("text", line)
    elif block.type == "tool_use":
        yield Progress("tool", one_line(_use(block), LONGEST))


def _use(block: Block) -> str:
    if block.name == ANSWER_TOOL:
        return "gives its answer"
    return f"{block.name} {subject(block)}"
