"""The parts of a streamed chat completion as the server sends them, and what they add up to."""

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from schemas.engine import FailureKind
from services.engines.line import one_line
from services.engines.openai_compatible.failing import Complaint, Unanswered, kind_of, status_told

_MOST_TOKENS = 1_000_000_000_000  # in one turn; a number beyond is no count


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FunctionPart(_Sent):
    """A piece of a function's name or of its arguments."""

    name: str | None = None
    arguments: str | None = None


class CallPart(_Sent):
    """A piece of a tool call; some servers leave out the index or repeat it."""

    index: int | None = None
    id: str | None = None
    function: FunctionPart | None = None


class Delta(_Sent):
    """What one chunk adds to the message."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[CallPart, ...] | None = None


class Choice(_Sent):
    """One of the answers under way; only the first was asked for."""

    index: int = 0
    delta: Delta | None = None
    finish_reason: str | None = None


class CachedTokens(_Sent):
    """How many of the tokens read were in the server's cache."""

    cached_tokens: int | None = Field(default=None, ge=0)


class Usage(_Sent):
    """The tokens counted by the server."""

    prompt_tokens: int = Field(default=0, ge=0, le=_MOST_TOKENS)
    completion_tokens: int = Field(default=0, ge=0, le=_MOST_TOKENS)
    prompt_tokens_details: CachedTokens | None = None

    @property
    def cached(self) -> int:
        """Return the tokens that came from the cache, never more than were read."""
        told = self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else 0
        return min(told or 0, self.prompt_tokens)


class Chunk(_Sent):
    """One event of the stream; with `error` the server gives up."""

    choices: tuple[Choice, ...] | None = None
    usage: Usage | None = None
    model: str | None = None
    error: JsonValue = None


class _ErrorTold(_Sent):
    message: str = ""
    code: str | int | None = None
    type: str | None = None


@dataclass(frozen=True)
class ToolCall:
    """A tool the model wants used, its arguments still as the text it wrote; some servers give no id."""

    id: str
    name: str
    arguments: str


@dataclass
class _Pieces:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Turn:
    """What the model said in one go. `usage` is None where the server did not count."""

    text: str
    refusal: str
    calls: tuple[ToolCall, ...]
    finish: str
    usage: Usage | None
    model: str


def read_chunk(data: str) -> Chunk:
    """Parse one event's data. Raises `Unanswered`: garbled, or the error that the server sent."""
    try:
        chunk = Chunk.model_validate_json(data)
    except ValidationError:
        raise Unanswered(FailureKind.GARBLED, f"no chunk of an answer: {one_line(data, 120)}") from None
    if chunk.error is not None:
        told = complaint_in(chunk.error)
        kind = kind_of(status_told(told.code), told)
        raise Unanswered(kind, f"the server gave up: {told.message or told.code or 'no reason given'}")
    if chunk.choices is None:
        raise Unanswered(FailureKind.GARBLED, f"a chunk without choices: {one_line(data, 120)}")
    return chunk


def complaint_in(error: JsonValue) -> Complaint:
    """Read what an error object or text says."""
    if isinstance(error, str):
        return Complaint(error)
    try:
        told = _ErrorTold.model_validate(error)
    except ValidationError:
        return Complaint()
    return Complaint(told.message, str(told.code or told.type or ""))


class Reply:
    """Adds chunks up to a turn, at most `limit` bytes of text and arguments."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[_Pieces] = []
        self._places: dict[int, _Pieces] = {}
        self._finish = ""
        self._usage: Usage | None = None
        self._model = ""
        self.size = 0

    def take(self, chunk: Chunk) -> str:
        """Add a chunk; return the text that came with it. Raises `Unanswered` when it grows too large."""
        self._usage = chunk.usage or self._usage
        self._model = chunk.model or self._model
        came = ""
        for choice in chunk.choices or ():
            if choice.index == 0:
                self._finish = choice.finish_reason or self._finish
                came += self._add(choice.delta or Delta())
        return came

    def turn(self) -> Turn:
        """Return what came so far."""
        calls = tuple(ToolCall(each.id, each.name, "".join(each.arguments)) for each in self._calls)
        text, refusal = "".join(self._text), "".join(self._refusal)
        return Turn(text, refusal, calls, self._finish, self._usage, self._model)

    def _add(self, delta: Delta) -> str:
        text = delta.content or ""
        self._grow(text)
        self._text.append(text)
        self._grow(delta.refusal or "")
        self._refusal.append(delta.refusal or "")
        for part in delta.tool_calls or ():
            self._call(part)
        return text

    def _call(self, part: CallPart) -> None:
        pieces = self._pieces_of(part)
        pieces.id = pieces.id or part.id or ""
        if part.function:
            pieces.name = pieces.name or part.function.name or ""
            pieces.arguments.append(part.function.arguments or "")
            self._grow(part.function.arguments or "")

    def _pieces_of(self, part: CallPart) -> _Pieces:
        """Find the call a piece belongs to; an id unseen so far begins another, whatever the index says."""
        place = part.index if part.index is not None else max(self._places, default=0)
        known = self._places.get(place)
        if known is None or (part.id and known.id and part.id != known.id):
            known = _Pieces()
            self._places[place] = known
            self._calls.append(known)
            self._grow("call")
        return known

    def _grow(self, text: str) -> None:
        self.size += len(text.encode("utf-8", "surrogatepass"))
        if self.size > self._limit:
            raise Unanswered(FailureKind.TOO_LARGE, f"the answer is over {self._limit} bytes")
