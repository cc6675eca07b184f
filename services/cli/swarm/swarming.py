"""Runs services until told to stop: all eight with what they should look at, or one copy of one."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from nats.aio.client import Client

from services.access.tokens import Token, link
from services.cli.asking import cause
from services.cli.session import Exit, Stop, print_json_line, say
from services.cli.swarm.running import SERVICES, process_of, runnable, service_of, swarm
from services.cycle.requesting import Asked, Wish, ask, locate
from services.gateway.certificates import certificate
from services.gateway.listening import PortInUse, port_to_use, url_of
from services.runtime.answering import copies
from services.runtime.ground import Ground, actor, stand
from services.runtime.log import Log
from services.runtime.role import workbench
from services.runtime.settings import Settings

UP_SECONDS = 60.0
ANSWER_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True)
class Order:
    """What `aps up` is to run: on which port, looking at which targets, in one process or in many."""

    port: int | None = None
    targets: tuple[str, ...] = ()
    processes: bool = False


async def up(settings: Settings, order: Order, *, as_json: bool) -> None:
    """Run all services until told to stop. Raises `PortInUse`, `UnusableCertificate` before any starts.

    Ends the command with 5 where what listens on the port is a gateway of ours.
    """
    if order.port is not None:
        settings = settings.model_copy(update={"port": order.port})
    certificate(settings)
    try:
        port = port_to_use(settings)
    except PortInUse:
        if await _is_ours(url_of(settings)):
            other = f"for another data folder: aps up --port {settings.port + 1}"
            told = f"aps already runs here: {url_of(settings)}/api/health tells how it is; {other}"
            raise Stop(Exit.CONFLICT, told) from None
        raise
    await until_told(_up(settings.model_copy(update={"port": port}), order, as_json=as_json))


async def _is_ours(url: str) -> bool:
    """Whether a gateway answers there as ours do; nothing secret is said, so it need not prove its name."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as asking,
            asking.get(f"{url}/livez", ssl=False) as answer,
        ):
            return answer.status == HTTPStatus.OK and await answer.json() == {"state": "ok"}
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False


async def run_one(settings: Settings, name: str, *, as_json: bool) -> None:
    """Run one copy of one service until told to stop."""
    await until_told(_run_one(settings, name, as_json=as_json))


async def until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; SIGTERM and Ctrl-C end it in good order, which is a success."""
    running = asyncio.ensure_future(work)
    told = asyncio.Event()

    def stop() -> None:
        if not told.is_set():  # a second signal must not interrupt the good order
            told.set()
            say("stopping")
            running.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    with suppress(asyncio.CancelledError):
        await running


async def _up(settings: Settings, order: Order, *, as_json: bool) -> None:
    async with stand(settings, say) as ground, ground.log("cli") as (connection, book):
        _tell_notes(ground)
        await ground.require_length(connection)
        asked = await _ask_all(settings, order.targets, book)
        make = process_of if order.processes else service_of
        async with swarm(ground, SERVICES, make) as running:
            await _await_answers(connection, set(runnable(ground, SERVICES)), running)
            _tell_up(settings, asked, await link(book, cause()), as_json=as_json)
            await running


async def _run_one(settings: Settings, name: str, *, as_json: bool) -> None:
    async with stand(settings) as ground:
        _tell_notes(ground)
        if as_json:
            print_json_line({"service": name, "instance": actor(name)})
        say(f"{name} runs as {actor(name)}; stop it with Ctrl-C")
        await service_of(name, ground).run()


async def _ask_all(settings: Settings, targets: tuple[str, ...], book: Log) -> list[Asked]:
    """Request a scan of each target. Raises what is wrong with one before any service runs."""
    if not targets:
        return []
    bench = await workbench("cli", settings, book)
    places = [await locate(target, bench.workspace, bench.sandbox) for target in targets]
    for note in (note for place in places for note in place.inspection.notes):
        say(f"note: {note}")
    return [
        await ask(book, place, Wish(target), actor("cli"))
        for place, target in zip(places, targets, strict=True)
    ]


async def _await_answers(connection: Client, names: set[str], running: asyncio.Task[None]) -> None:
    """Return once every service answers. Raises what one of them gave up with."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + UP_SECONDS
    while not (found := set(await copies(connection, seconds=1.0))) >= names:
        done, _ = await asyncio.wait({running}, timeout=LOOK_AGAIN_SECONDS)
        if done:
            running.result()
            raise Stop(Exit.FAILED, "the services stopped; see: aps logs")
        if clock() > deadline:
            raise Stop(Exit.TIMED_OUT, f"no answer of {', '.join(sorted(names - found))}; see: aps logs")


def _tell_up(settings: Settings, asked: list[Asked], entry: Token | None, *, as_json: bool) -> None:
    url = url_of(settings)
    enter = f"{url}/enter?token={entry.text}" if entry else ""
    targets = [{"target": one.place.id, "scan": one.scan} for one in asked]
    if as_json:
        told = {"url": url, "services": list(SERVICES), "targets": targets}
        print_json_line({**told, "enter": enter} if enter else told)
    say(f"up: {url} shows what happens, {url}/api/health how every component is; stop with Ctrl-C")
    if enter:
        say(f"enter as admin, by a link that works once, within minutes: {enter}")
    else:
        say("enter with a token: aps token create --role admin makes one")
    for one in asked:
        follows = " (was under way already)" if one.followed else ""
        say(f"looking at {one.place.title}: {one.scan}{follows}")


def _tell_notes(ground: Ground) -> None:
    for note in ground.notes:
        say(f"note: {note}")
