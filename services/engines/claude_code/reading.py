"""Keeps what the program's tools gave the model to read, with the tool and what it was used on."""

from pathlib import Path

from pydantic import JsonValue

from services.engines.claude_code.messages import Assistant, Said, ToolResult, User
from services.engines.claude_code.telling import ANSWER_TOOL, subject
from services.engines.line import one_line
from services.engines.port import Read, Reading

_WHERE = 200


class ToolReading:
    """Matches what tools gave back to their uses."""

    def __init__(self, tree: Path | None) -> None:
        self._tree = f"{tree}/" if tree else ""
        self._uses: dict[str, str] = {}
        self._reading = Reading()

    def add(self, said: Said) -> None:
        """Take a line of the program."""
        if isinstance(said, Assistant):
            for block in said.message.content:
                if block.type == "tool_use" and block.name != ANSWER_TOOL:
                    where = f"{block.name} {subject(block)}"
                    self._uses[block.id] = one_line(
                        where.replace(self._tree, "") if self._tree else where, _WHERE
                    )
        elif isinstance(said, User) and isinstance(said.message.content, tuple):
            for result in said.message.content:
                self._take(result)

    def read(self) -> tuple[Read, ...]:
        """Return what was read by now."""
        return self._reading.contents()

    def _take(self, result: ToolResult) -> None:
        if result.type == "tool_result" and (where := self._uses.get(result.tool_use_id)):
            self._reading.add(where, _text(result.content))


def _text(content: JsonValue) -> str:
    if isinstance(content, list):
        parts = [part.get("text", "") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""
