"""The lines of the program that matter here, parsed; fields and kinds we do not know are passed over."""

from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Block(_Said):
    """A part of a message: words, or a tool it asks for."""

    type: str = ""
    id: str = ""
    text: str = ""
    name: str = ""
    input: dict[str, JsonValue] = Field(default_factory=dict)


class Content(_Said):
    """The parts of a message. Lines with the same `id` are of one message, and so of one turn."""

    id: str = ""
    content: tuple[Block, ...] = ()


class Assistant(_Said):
    """What the model said."""

    type: Literal["assistant"]
    message: Content


class ToolResult(_Said):
    """What a tool gave back, or another part of what the model is shown."""

    type: str = ""
    tool_use_id: str = ""
    content: JsonValue = None


class Shown(_Said):
    """What the model is shown: words, or parts."""

    content: tuple[ToolResult, ...] | str = ()


class User(_Said):
    """What was said to the model."""

    type: Literal["user"]
    message: Shown


class Init(_Said):
    """The first line that counts: which program, which model."""

    type: Literal["system"]
    subtype: Literal["init"]
    model: str = ""
    claude_code_version: str = ""


class Retry(_Said):
    """The program is about to send a request again."""

    type: Literal["system"]
    subtype: Literal["api_retry"]
    attempt: int = 0
    error_status: int | None = None


class Denial(_Said):
    """A tool that was not allowed."""

    tool_name: str


class ModelUsage(_Said):
    """What one model used over the run."""

    input: int = Field(default=0, alias="inputTokens")
    output: int = Field(default=0, alias="outputTokens")
    cache_read: int = Field(default=0, alias="cacheReadInputTokens")
    cache_written: int = Field(default=0, alias="cacheCreationInputTokens")


class Final(_Said):
    """The result object, the last line."""

    type: Literal["result"]
    subtype: str = ""
    is_error: bool = False
    num_turns: int = 0
    duration_ms: int = 0
    total_cost_usd: float = 0.0
    stop_reason: str | None = None
    terminal_reason: str | None = None
    result: str = ""
    structured_output: JsonValue = None
    errors: tuple[str, ...] = ()
    api_error_status: int | None = None
    api_error: str | None = None
    permission_denials: tuple[Denial, ...] = ()
    model_usage: dict[str, ModelUsage] = Field(default_factory=dict, alias="modelUsage")

    @property
    def words(self) -> str:
        """What it says went wrong."""
        return "; ".join(self.errors) or self.result


Said = Assistant | User | Init | Retry | Final
_KINDS: dict[str, type[Said]] = {
    "assistant": Assistant,
    "user": User,
    "system init": Init,
    "system api_retry": Retry,
    "result": Final,
}


class NoMessage(Exception):  # noqa: N818 -- says what the line is
    """The line is no JSON object, or one of a kind we know with parts that do not fit it."""


def parse(line: bytes) -> Said | None:
    """Read one line; None for a kind that does not matter here. Raises NoMessage."""
    try:
        raw = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise NoMessage(str(error)) from None
    if not isinstance(raw, dict):
        raise NoMessage("not an object")
    kind = str(raw.get("type", ""))
    model = _KINDS.get(kind) or _KINDS.get(f"{kind} {raw.get('subtype')}")
    if model is None:
        return None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise NoMessage(f"{error.error_count()} parts of {kind} do not fit") from None
