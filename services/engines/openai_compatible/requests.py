"""A request for a chat completion, as it goes to the server."""

from enum import StrEnum
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue

from services.engines.openai_compatible.answer_schema import AnswerSchema


class Feature(StrEnum):
    """What some servers do not know, and are asked without after they said so."""

    SCHEMA = "response_format"
    USAGE = "stream_options"
    TOOLS = "tools"


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FunctionCalled(_Out):
    """A function the model called."""

    name: str
    arguments: str


class CallMade(_Out):
    """A call the model made, repeated to it."""

    id: str
    function: FunctionCalled
    type: Literal["function"] = "function"


class Message(_Out):
    """One message of the conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[CallMade, ...] | None = None
    tool_call_id: str | None = None


class FunctionOffered(_Out):
    """A function the model may call."""

    name: str
    description: str
    parameters: dict[str, JsonValue]
    strict: bool = True


class ToolOffered(_Out):
    """A tool the model may use."""

    function: FunctionOffered
    type: Literal["function"] = "function"


def body(
    model: str,
    messages: tuple[Message, ...],
    shape: AnswerSchema | None,
    tools: tuple[ToolOffered, ...],
    usage: bool,
) -> bytes:
    """Write the request's body; `shape` None where the server does not hold answers to a schema."""
    said: dict[str, object] = {
        "model": model,
        "stream": True,
        "messages": [message.model_dump(exclude_none=True) for message in messages],
    }
    if usage:
        said["stream_options"] = {"include_usage": True}
    if tools:
        said["tools"] = [tool.model_dump() for tool in tools]
    if shape is not None:
        held = {"name": shape.name, "strict": shape.strict, "schema": shape.schema}
        said["response_format"] = {"type": "json_schema", "json_schema": held}
    return orjson.dumps(said)


def feature_refused(status: int, words: str, used: frozenset[Feature]) -> Feature | None:
    """Recognise the feature whose use the server refuses; None where it refuses something else."""
    if status not in (400, 404, 415, 422, 501):
        return None
    said = words.casefold()
    for feature, signs in _SIGNS.items():
        if feature in used and any(sign in said for sign in signs):
            return feature
    return None


_SIGNS = {
    Feature.SCHEMA: ("response_format", "response format", "json_schema", "json mode", "structured output"),
    Feature.USAGE: ("stream_options", "include_usage"),
    Feature.TOOLS: ("tool", "function call"),
}
