"""One task's conversation with a model: turns, tools, one repair, and what all of it used."""

import re
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Generic

import aiohttp
import orjson
from pydantic import JsonValue, ValidationError

from schemas.engine import FailureKind, Spent
from services.engines.line import one_line
from services.engines.openai_compatible import words
from services.engines.openai_compatible.answer_schema import answer_schema
from services.engines.openai_compatible.chunks import Reply, ToolCall, Turn
from services.engines.openai_compatible.endpoint import Endpoint
from services.engines.openai_compatible.exchange import Refusal, stream
from services.engines.openai_compatible.failing import Unanswered
from services.engines.openai_compatible.pricing import Price, estimated_tokens
from services.engines.openai_compatible.requests import (
    CallMade,
    Feature,
    FunctionCalled,
    Message,
    body,
    feature_refused,
)
from services.engines.openai_compatible.speaking import Speaking
from services.engines.openai_compatible.tools import Tools, Used, said_of, words_in
from services.engines.openai_compatible.tree import Tree
from services.engines.port import AnswerT, Progress, Reading, Task, Tell
from services.engines.transcript import Transcript

CALLS_AT_ONCE = 32
_SHOWN = 2_000  # characters of a tool's answer in the transcript
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)
_FINISHED = {
    "length": (FailureKind.TOO_LARGE, "the answer is longer than the model may write"),
    "model_length": (FailureKind.TOO_LARGE, "the answer is longer than the model may write"),
    "content_filter": (FailureKind.REFUSED, "the server's content filter stopped the answer"),
    "insufficient_system_resource": (FailureKind.OVERLOADED, "the server ran out of room for the answer"),
    "error": (FailureKind.SERVER_ERROR, "the server failed within the answer"),
    "": (FailureKind.CUT_OFF, "the answer ended without saying why"),
}


class Conversation(Generic[AnswerT]):
    """Holds what was said; after a failure too it tells what was used."""

    def __init__(
        self,
        task: Task[AnswerT],
        endpoint: Endpoint,
        price: Price,
        features: frozenset[Feature],
        tell: Tell,
        now: Callable[[], datetime],
    ) -> None:
        self._task = task
        self._endpoint = endpoint
        self._price = price
        self._tell = tell
        self._now = now
        self._hidden = endpoint.hidden()
        self._shape = answer_schema(task.answer)
        self._tools = Tools(Tree(task.worktree), may_write=task.may_write) if task.worktree else None
        self._said: list[Message] = [Message(role="user", content=task.prompt)]
        self._repaired = False
        self.features = features
        self.transcript = Transcript()
        self.reading = Reading()
        self.spent = Spent(billing=price.billing, model=task.model or endpoint.model)

    async def hold(self, session: aiohttp.ClientSession) -> AnswerT:
        """Talk until there is a valid answer. Raises `Unanswered`."""
        while True:
            turn = await self._turn(session)
            if turn.refusal:
                raise Unanswered(FailureKind.REFUSED, f"the model refuses: {turn.refusal}")
            if turn.finish in _FINISHED:
                raise Unanswered(*_FINISHED[turn.finish])
            if turn.calls:
                await self._use(turn)
                continue
            judged = self._judged(turn.text)
            if not isinstance(judged, Unanswered):
                return judged
            self._repair(turn, judged)

    async def _turn(self, session: aiohttp.ClientSession) -> Turn:
        """Ask for one turn, without what the server turns out not to know."""
        if self.spent.turns >= self._task.bounds.turns:
            raise Unanswered(FailureKind.TURNS_EXHAUSTED, f"no answer within {self.spent.turns} turns")
        self._tell(Progress("turn", f"turn {self.spent.turns + 1}"))
        while True:
            try:
                return await self._generated(session)
            except Refusal as why:
                feature = feature_refused(why.status, why.words, self._used_features())
                if feature is None:
                    raise
                if feature is Feature.TOOLS:
                    raise Unanswered(FailureKind.NOT_CAPABLE, f"no tools to work with: {why.reason}") from why
                self.features -= {feature}
                self._tell(Progress("retry", f"the server does not know {feature.value}: asking without"))

    async def _generated(self, session: aiohttp.ClientSession) -> Turn:
        """Let the model say one turn; whatever came of it is counted, also when it breaks off."""
        request = self._request()
        self._afford(request, 0)
        reply, speaking, began = (
            Reply(self._task.bounds.answer_bytes),
            Speaking(self._tell, self._hidden),
            False,
        )
        limit = self._task.bounds.answer_bytes
        try:
            async with aclosing(stream(session, self._endpoint, request, limit, self._now)) as chunks:
                async for chunk in chunks:
                    began = True
                    speaking.add(reply.take(chunk))
                    self._afford(request, reply.size)
        finally:
            if began:
                speaking.end()
                self._count(request, reply)
        return self._masked(reply.turn())

    def _used_features(self) -> frozenset[Feature]:
        return self.features if self._tools else self.features - {Feature.TOOLS}

    def _request(self) -> bytes:
        has_schema = Feature.SCHEMA in self.features
        system = [self._task.system]
        if self._tools:
            system.append(words.working_on_files())
        if not has_schema:
            system.append(words.answer_in_words(orjson.dumps(self._shape.schema).decode()))
        first = Message(role="system", content="\n\n".join(part for part in system if part))
        return body(
            self._task.model or self._endpoint.model,
            (first, *self._said) if first.content else tuple(self._said),
            self._shape if has_schema else None,
            self._tools.offered() if self._tools else (),
            usage=Feature.USAGE in self.features,
        )

    def _afford(self, request: bytes, written: int) -> None:
        """Stop before the bound of the task is passed, as far as an estimate tells."""
        bound = self._task.bounds.cost_micros
        about = self._price.micros(estimated_tokens(len(request)), 0, estimated_tokens(written))
        if self.spent.cost_micros + about > bound:
            raise Unanswered(FailureKind.BUDGET_EXHAUSTED, f"going on costs more than {bound} micro-dollars")

    def _count(self, request: bytes, reply: Reply) -> None:
        """Add the tokens of a turn: as counted by the server, else estimated from the bytes."""
        turn = self._masked(reply.turn())
        usage = turn.usage
        read = usage.prompt_tokens if usage else estimated_tokens(len(request))
        written = usage.completion_tokens if usage else estimated_tokens(reply.size)
        cached = usage.cached if usage else 0
        self.spent = Spent(
            tokens_in=self.spent.tokens_in + read,
            tokens_out=self.spent.tokens_out + written,
            tokens_cached=self.spent.tokens_cached + cached,
            cost_micros=self.spent.cost_micros + self._price.micros(read, cached, written),
            billing=self._price.billing,
            turns=self.spent.turns + 1,
            model=one_line(turn.model, 100) or self.spent.model,
        )
        calls: list[JsonValue] = [{"name": each.name, "arguments": each.arguments} for each in turn.calls]
        self._note(
            {
                "turn": self.spent.turns,
                "model": turn.model,
                "text": turn.text,
                "refusal": turn.refusal,
                "calls": calls,
                "finish": turn.finish,
                "tokens": {"read": read, "written": written, "cached": cached, "estimated": usage is None},
            }
        )

    def _note(self, line: Mapping[str, JsonValue]) -> None:
        self.transcript.add(self._hidden.bytes(orjson.dumps(line)))

    def _masked(self, turn: Turn) -> Turn:
        """Hide the key, and give an id to the calls that have none."""
        hide = self._hidden.text
        calls = tuple(
            ToolCall(hide(each.id) or f"call_{self.spent.turns}_{n}", hide(each.name), hide(each.arguments))
            for n, each in enumerate(turn.calls)
        )
        return replace(
            turn, text=hide(turn.text), refusal=hide(turn.refusal), calls=calls, model=hide(turn.model)
        )

    async def _use(self, turn: Turn) -> None:
        """Do what the model called for, call after call, and answer every call."""
        made = tuple(
            CallMade(id=each.id, function=FunctionCalled(name=each.name, arguments=_object(each.arguments)))
            for each in turn.calls
        )
        self._said.append(Message(role="assistant", content=turn.text, tool_calls=made))
        for place, call in enumerate(turn.calls):
            used = await self._used(call, place)
            self._tell(Progress("tool", one_line(f"{call.name} {used.path}", 200)))
            self.reading.add(one_line(f"{call.name} {used.path}", 200), "\n".join(words_in(used.answer)))
            self._note({"tool": call.name, "path": used.path, "answer": used.answer[:_SHOWN]})
            self._said.append(
                Message(role="tool", content=self._hidden.text(used.answer), tool_call_id=call.id)
            )

    async def _used(self, call: ToolCall, place: int) -> Used:
        if self._tools is None:
            return Used("", '{"error":"there are no tools"}')
        if place >= CALLS_AT_ONCE:
            return Used("", f'{{"error":"over {CALLS_AT_ONCE} calls at once"}}')
        return await self._tools.use(call)

    def _judged(self, text: str) -> AnswerT | Unanswered:
        fenced = _FENCED.fullmatch(text)
        bare = fenced[1] if fenced else text
        if not bare.strip():
            return Unanswered(FailureKind.NO_ANSWER, "there was no answer")
        try:
            return self._task.answer.model_validate_json(bare)
        except ValidationError as problem:
            return Unanswered(FailureKind.INVALID_ANSWER, said_of(problem))

    def _repair(self, turn: Turn, why: Unanswered) -> None:
        """Tell the model once what is wrong with its answer. Raises `why` where that is over."""
        if self._repaired or self.spent.turns >= self._task.bounds.turns:
            raise why
        self._repaired = True
        self._tell(Progress("retry", one_line(f"the answer is not valid: {why.reason}")))
        if turn.text:
            self._said.append(Message(role="assistant", content=turn.text))
        self._said.append(Message(role="user", content=words.repair(why.reason)))


def _object(arguments: str) -> str:
    """Repeat arguments to the server only as what it can parse; the tool's answer says what was wrong."""
    try:
        return arguments if isinstance(orjson.loads(arguments), dict) else "{}"
    except orjson.JSONDecodeError:
        return "{}"
