"""A scripted loopback server of chat completions: real bytes on a real connection, well-behaved or not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

KEY = "sk-test-4f9d2c7b1e8a4d5f9c3b"
DONE = "data: [DONE]\n\n"


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Wire:
    """The server's end of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)
        await self.writer.drain()

    async def start(self, content_type: str = "text/event-stream") -> None:
        await self.send(
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

    async def chunk(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end(self) -> None:
        await self.send("0\r\n\r\n")

    async def closed(self) -> None:
        """Wait until the client went away."""
        while await self.reader.read(1024):
            pass


Step = Callable[[Wire, Request], Awaitable[None]]


@dataclass
class ChatApi:
    """Answers request after request by its script; the last step answers all that come later."""

    script: list[Step] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
            place = len([each for each in self.requests if each.path.endswith("/chat/completions")])
            self.requests.append(request)
            step = self.script[min(place, len(self.script) - 1)] if self.script else refuses(404)
            await step(Wire(reader, writer), request)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, which is what some tests are about
        finally:
            writer.close()
            self.gone.set()

    @property
    def bodies(self) -> list[Any]:
        return [request.body for request in self.requests]


@asynccontextmanager
async def chat_api(*script: Step) -> AsyncIterator[ChatApi]:
    """A server on a free port; whoever still hangs on it is let go at the end."""
    api = ChatApi(list(script))
    serving: set[asyncio.Task[None]] = set()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(api.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield api
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, json.loads(content) if content else None)


def event(content: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(content)}\n\n"


def chunk(choices: Sequence[Mapping[str, Any]], **more: Any) -> str:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m-1"}
    return event({**head, "choices": choices, **more})


def delta(**parts: Any) -> str:
    return chunk([{"index": 0, "delta": parts, "finish_reason": None}])


def finish(reason: str | None = "stop") -> str:
    return chunk([{"index": 0, "delta": {}, "finish_reason": reason}])


def usage(read: int = 1000, written: int = 100, cached: int = 0) -> str:
    counted = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return chunk([], usage={**counted, "prompt_tokens_details": {"cached_tokens": cached}})


def streams(*events: str | bytes) -> Step:
    """Stream these events, each in a chunk of its own, and end."""

    async def step(wire: Wire, request: Request) -> None:
        await wire.start()
        for each in events:
            await wire.chunk(each)
        await wire.end()

    return step


def says(text: str, reason: str = "stop", counted: str = "") -> Step:
    """Say a text in two pieces."""
    half = len(text) // 2
    first, second = delta(role="assistant", content=text[:half]), delta(content=text[half:])
    return streams(first, second, finish(reason), counted or usage(), DONE)


def answers(**fields: Any) -> Step:
    """Say a JSON object."""
    return says(json.dumps(fields))


def calls(*called: tuple[str, Mapping[str, Any] | str], says: str | None = None) -> Step:
    """Call tools, the arguments of each in two pieces."""
    events = [delta(role="assistant", content=says)]
    for place, (name, arguments) in enumerate(called):
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        half = len(text) // 2
        opening = {"name": name, "arguments": text[:half]}
        events += [
            delta(
                tool_calls=[{"index": place, "id": f"id-{place}", "type": "function", "function": opening}]
            ),
            delta(tool_calls=[{"index": place, "function": {"arguments": text[half:]}}]),
        ]
    return streams(*events, finish("tool_calls"), usage(), DONE)


def refuses(status: int, content: Mapping[str, Any] | str = "", **headers: str) -> Step:
    """Answer with a status and a body."""

    async def step(wire: Wire, request: Request) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        kind = "text/html" if isinstance(content, str) else "application/json"
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        length = len(text.encode())
        await wire.send(
            f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}\r\n{text}"
        )

    return step


def error(message: str, code: str | None = None) -> Mapping[str, Any]:
    return {"error": {"message": message, "type": "x", "code": code}}


def raw(content: str | bytes) -> Step:
    """Send these bytes and close."""

    async def step(wire: Wire, request: Request) -> None:
        await wire.send(content)

    return step


async def hangs(wire: Wire, request: Request) -> None:
    """Say nothing until the client goes away."""
    await wire.closed()


def hangs_after(*events: str) -> Step:
    """Stream these events, then nothing until the client goes away."""

    async def step(wire: Wire, request: Request) -> None:
        await wire.start()
        for each in events:
            await wire.chunk(each)
        await wire.closed()

    return step


def breaks_after(*events: str) -> Step:
    """Stream these events, then break the connection."""

    async def step(wire: Wire, request: Request) -> None:
        await wire.start()
        for each in events:
            await wire.chunk(each)
        wire.writer.transport.abort()

    return step
