"""A scripted Messages API on the loopback: one server, and a path prefix for each scenario.

A scenario is a list of steps. Which step answers follows from how many turns the request already holds, so
a request that is sent again gets the same answer and a resumed session goes on where it stopped.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from aiohttp import web

ANSWER_TOOL = "StructuredOutput"
CHUNK = 64_000


@dataclass(frozen=True)
class Say:
    """Answer with words and end the turn."""

    text: str
    stop: str = "end_turn"


@dataclass(frozen=True)
class Use:
    """Ask for a tool; with `text`, say something before."""

    tool: str
    input: Mapping[str, Any]
    text: str = ""


@dataclass(frozen=True)
class Refuse:
    """Answer with an error of the API."""

    status: int
    type: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Break:
    """Begin an answer and stop: for ever (`hangs`), or by closing the connection (`cuts`)."""

    how: Literal["hangs", "cuts"]


Step = Say | Use | Refuse | Break


def answers(**value: Any) -> Use:
    """Give the structured answer."""
    return Use(ANSWER_TOOL, value)


@dataclass(frozen=True)
class Heard:
    """One request: what it was about and how it was signed."""

    scenario: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def turns(self) -> int:
        return sum(message["role"] == "assistant" for message in self.body["messages"])

    @property
    def text(self) -> str:
        """Everything that was sent, as one text."""
        return json.dumps(self.body, ensure_ascii=False)


class MessagesApi:
    """Answers by scenario and keeps what it heard."""

    def __init__(self, scenarios: Mapping[str, Sequence[Step]]) -> None:
        self.scenarios = dict(scenarios)
        self.heard: list[Heard] = []
        self.began = asyncio.Event()
        self._origin = ""

    def url(self, scenario: str) -> str:
        """The base address of a scenario."""
        return f"{self._origin}/{scenario}"

    def heard_by(self, scenario: str) -> list[Heard]:
        """The requests of a scenario, in order."""
        return [heard for heard in self.heard if heard.scenario == scenario]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["MessagesApi"]:
        """Serve on a free port of the loopback."""
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/{scenario}/v1/messages", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def step(self, heard: Heard) -> Step:
        """Choose what a request is answered."""
        steps = self.scenarios[heard.scenario]
        return steps[min(heard.turns, len(steps) - 1)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        heard = Heard(request.match_info["scenario"], dict(request.headers), await request.json())
        self.heard.append(heard)
        self.began.set()
        step = self.step(heard)
        if isinstance(step, Refuse):
            return refusal(step)
        return await _streamed(request, step, heard)


def refusal(step: Refuse) -> web.Response:
    """The API's own form of an error."""
    body = {"type": "error", "error": {"type": step.type, "message": step.message}}
    return web.json_response(body, status=step.status, headers=step.headers)


async def _streamed(request: web.Request, step: Say | Use | Break, heard: Heard) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await _send(response, _beginning(str(heard.body["model"])))
    if isinstance(step, Break):
        await _send(response, _block(0, {"type": "text", "text": ""}))
        if step.how == "hangs":
            await asyncio.Event().wait()
        assert request.transport is not None
        request.transport.abort()
        return response
    blocks = _blocks(step, f"toolu_{heard.turns}")
    for index, (begin, deltas) in enumerate(blocks):
        await _send(response, _block(index, begin))
        for delta in deltas:
            await _send(response, {"type": "content_block_delta", "index": index, "delta": delta})
        await _send(response, {"type": "content_block_stop", "index": index})
    reason = "tool_use" if isinstance(step, Use) else step.stop
    usage = {"output_tokens": 50}
    ending = {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None},
        "usage": usage,
    }
    await _send(response, ending)
    await _send(response, {"type": "message_stop"})
    await response.write_eof()
    return response


def _blocks(step: Say | Use, id: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    said = [
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in _parts(step.text)])
    ]
    if isinstance(step, Say):
        return said
    asked = json.dumps(step.input)
    use = {"type": "tool_use", "id": id, "name": step.tool, "input": {}}
    deltas = [{"type": "input_json_delta", "partial_json": part} for part in _parts(asked)]
    return [*(said if step.text else []), (use, deltas)]


def _parts(text: str) -> list[str]:
    return [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]


def _beginning(model: str) -> dict[str, Any]:
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 40,
        "cache_creation_input_tokens": 0,
        "output_tokens": 1,
    }
    id = f"msg_{uuid4().hex}"  # the program joins messages of one id
    message = {"id": id, "type": "message", "role": "assistant", "model": model, "content": []}
    return {
        "type": "message_start",
        "message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage},
    }


def _block(index: int, begin: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": begin}


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
