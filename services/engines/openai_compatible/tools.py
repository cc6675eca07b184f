"""The edit protocol: the tools a model may call, and what it is answered.

Whatever a model calls is answered, also a mistake of its own: as an error it can read, never raised. Secrets
in a file stay on this machine: the model reads a mark in their place, and cannot write the mark back.
"""

import asyncio
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from services.engines.line import one_line
from services.engines.openai_compatible.answer_schema import answer_schema
from services.engines.openai_compatible.chunks import ToolCall
from services.engines.openai_compatible.requests import FunctionOffered, ToolOffered
from services.engines.openai_compatible.tree import Inaccessible, Tree
from services.masking.mask import MARK, Mask

READ_CHARACTERS = 60_000
_SECRETS = Mask()


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: str


class ListFiles(_Arguments):
    """List the files below a folder, with their paths. "." is the whole work tree."""

    path: str = "."


class ReadFile(_Arguments):
    """Read a text file from a line on (the first is 1). What was left out at the end is said."""

    from_line: int = Field(default=1, ge=1)


class WriteFile(_Arguments):
    """Write a text file whole; folders that are missing are made."""

    content: str


class ReplaceInFile(_Arguments):
    """Put a new text in the place of an old one, which must stand in the file exactly once."""

    old: str
    new: str


@dataclass(frozen=True)
class Used:
    """What came of a tool call: which file it was about, and the JSON the model is answered."""

    path: str
    answer: str


def _list(tree: Tree, asked: ListFiles) -> object:
    return {"files": tree.names(asked.path)}


def _read(tree: Tree, asked: ReadFile) -> object:
    lines = list(io.StringIO(_SECRETS(tree.read(asked.path)), newline="\n"))
    whole = "".join(lines[asked.from_line - 1 :])
    if len(whole) <= READ_CHARACTERS:
        return {"content": whole, "lines": len(lines)}
    given = whole[:READ_CHARACTERS]
    following = asked.from_line + given.count("\n")
    return {"content": given, "lines": len(lines), "cut": f"cut in line {following}; read on from there"}


def _write(tree: Tree, asked: WriteFile) -> object:
    _refuse_mark(asked.content)
    tree.write(asked.path, asked.content)
    return {"written": len(asked.content.encode())}


def _replace(tree: Tree, asked: ReplaceInFile) -> object:
    _refuse_mark(asked.new)
    tree.replace(asked.path, asked.old, asked.new)
    return {"replaced": 1}


def _refuse_mark(text: str) -> None:
    if MARK in text:
        raise Inaccessible(f"{MARK} stands for a secret you were not shown: replace only the text around it")


@dataclass(frozen=True)
class _Tool:
    arguments: type[_Arguments]
    use: Callable[..., object]
    writes: bool = False


_TOOLS = {
    "list_files": _Tool(ListFiles, _list),
    "read_file": _Tool(ReadFile, _read),
    "write_file": _Tool(WriteFile, _write, writes=True),
    "replace_in_file": _Tool(ReplaceInFile, _replace, writes=True),
}


class Tools:
    """The tools for one work tree; those that write are there only where that is allowed."""

    def __init__(self, tree: Tree, *, may_write: bool) -> None:
        self._tree = tree
        self._tools = {name: tool for name, tool in _TOOLS.items() if may_write or not tool.writes}

    def offered(self) -> tuple[ToolOffered, ...]:
        """Describe the tools to the server."""
        return tuple(ToolOffered(function=_described(name, tool)) for name, tool in self._tools.items())

    async def use(self, call: ToolCall) -> Used:
        """Do what the model wants done, or tell it why not."""
        tool = self._tools.get(call.name)
        if tool is None:
            return _refused("", f"there is no tool {one_line(call.name, 60)!r}: use {', '.join(self._tools)}")
        try:
            asked = tool.arguments.model_validate_json(call.arguments or "{}")
        except ValidationError as problem:
            return _refused("", f"the arguments do not fit: {said_of(problem)}")
        try:
            # A thread may outlive a cancelled call, so only reading is left to one.
            done = (
                tool.use(self._tree, asked)
                if tool.writes
                else await asyncio.to_thread(tool.use, self._tree, asked)
            )
            return Used(asked.path, orjson.dumps(done).decode())
        except Inaccessible as problem:
            return _refused(asked.path, str(problem))


def said_of(problem: ValidationError, limit: int = 600) -> str:
    """Name each place that does not fit, and why, without repeating what stood there."""
    errors = problem.errors(include_url=False, include_context=False, include_input=False)
    places = (f"{'.'.join(map(str, error['loc'])) or 'the whole'}: {error['msg']}" for error in errors)
    return one_line("; ".join(places), limit)


def _described(name: str, tool: _Tool) -> FunctionOffered:
    shape = answer_schema(tool.arguments)
    schema = {key: value for key, value in shape.schema.items() if key != "description"}
    return FunctionOffered(name=name, description=tool.arguments.__doc__ or "", parameters=schema)


def _refused(path: str, why: str) -> Used:
    return Used(path, orjson.dumps({"error": why}).decode())


def words_in(answer: str) -> Iterator[str]:
    """Yield the texts in a tool's answer, as they were before they became JSON."""
    yield from _texts(orjson.loads(answer))


def _texts(value: JsonValue) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for one in value:
                yield from _texts(one)
        case dict():
            for one in value.values():
                yield from _texts(one)
        case _:
            return
