"""What the server itself allows each user, tried on a real server under the shipped configuration."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.micro import add_service

from events.catalogue import AGGREGATES, MAY_RECORD
from events.envelope import Cause
from events.fact import Fact
from events.improvement_facts import ChangeDeclined, ChangeDeployed, RollbackRequested
from events.jetstream.log import JetStreamEventStore
from events.rights import ROLES, USERS, users_configuration
from events.store import Batch, Denied, Position
from events.subjects import Address, subject
from tests.log_server import NATS, LogServer

FORBIDDEN = "aps.v1.improvement.i1.change_validated"


async def ask(connection: Client, request: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = await connection.request(request, json.dumps(body).encode() if body else b"", timeout=5)
    found: dict[str, Any] = json.loads(answer.data)
    return found


async def refusals(server: LogServer, user: str, subjects: list[str]) -> list[str]:
    """Publish to all as `user`; return those the server refused."""
    errors: list[str] = []
    async with server.connection(user, errors) as connection:
        for name in subjects:
            await connection.publish(name, b"{}")
        await ask(connection, "$JS.API.INFO")  # the client's flush may overtake what it should follow
    return [name for name in subjects if any(f'"{name.lower()}"' in error for error in errors)]


async def last_sequence(server: LogServer, stream: str = "APS") -> int:
    async with server.connection("admin") as admin:
        return int((await ask(admin, f"$JS.API.STREAM.INFO.{stream}"))["state"]["last_seq"])


def store_of(connection: Client) -> JetStreamEventStore:
    return JetStreamEventStore(connection, lambda: datetime.now(UTC))


async def append(store: JetStreamEventStore, *facts: Fact, expected: Position | None = None) -> Position:
    cause = Cause(actor="test", source="/test", correlation=str(uuid4()))
    batch = Batch("improvement", "i1", expected or Position(), facts)
    return (await store.append_many([batch], cause))[0]


def deployed() -> ChangeDeployed:
    return ChangeDeployed(deployment="d", branch="aps/improved", commit="c", tree="t", partly=False)


def test_the_shipped_users_are_those_of_the_catalogue() -> None:
    assert (NATS / "users.conf").read_text("utf-8") == users_configuration()


@pytest.mark.parametrize("user", [user for user in USERS if user != "admin"])
async def test_a_user_may_record_its_own_facts_and_no_others(server: LogServer, user: str) -> None:
    everything = {
        subject(Address(aggregate.name, "x", fact.name))
        for aggregate in AGGREGATES.values()
        for fact in aggregate.facts
    }
    own = {
        subject(Address(aggregate, "x", fact.name))
        for aggregate, facts in MAY_RECORD.get(user, {}).items()
        for fact in facts
    }
    assert set(await refusals(server, user, sorted(everything))) == everything - own


async def test_a_refused_append_is_denied_at_once_and_stores_nothing(server: LogServer) -> None:
    async with server.connection("developer") as connection:
        started_at = asyncio.get_running_loop().time()
        with pytest.raises(Denied, match="change_deployed"):
            await append(store_of(connection), deployed())
        assert asyncio.get_running_loop().time() - started_at < 3
    assert await last_sequence(server) == 0


async def test_one_refused_fact_denies_the_whole_append(server: LogServer) -> None:
    allowed, refused = RollbackRequested(reason="test"), deployed()
    async with server.connection("cli") as connection:
        with pytest.raises(Denied):
            await append(store_of(connection), allowed, refused, allowed)
        with pytest.raises(Denied):
            await append(store_of(connection), allowed, refused)
        position = await append(store_of(connection), allowed)
    assert position.stream_seq == await last_sequence(server) == 1


@pytest.mark.parametrize(
    "question",
    [
        ("$JS.API.DIRECT.GET.APS", {"seq": 1}),
        ("$JS.API.DIRECT.GET.ARTEFACTS", {"seq": 1}),
        ("$JS.API.STREAM.INFO.APS", {}),
        ("$JS.API.CONSUMER.MSG.NEXT.APS.qa", {"batch": 1, "no_wait": True}),
        ("aps.artefacts.forged.1.0", {"forged": True}),
    ],
    ids=["event", "artefact", "info", "fetch", "acknowledgement"],
)
async def test_an_answer_cannot_be_recorded_as_a_fact(
    server: LogServer, question: tuple[str, dict[str, Any]]
) -> None:
    """Naming a subject of the log as the reply must not store the answer there."""
    async with server.connection("cli") as connection:
        await append(store_of(connection), RollbackRequested(reason="a body of my choice"))
        await connection.request("aps.artefacts.x.1.0", b"{}", timeout=5)
    errors: list[str] = []
    async with server.connection("qa", errors) as connection:
        for forged in (FORBIDDEN, "aps.v1.improvement.i1.change_deployed", "aps.dead.qa.x"):
            await connection.publish(question[0], json.dumps(question[1]).encode(), reply=forged)
        await ask(connection, "$JS.API.STREAM.INFO.APS")
        await ask(connection, "aps.artefacts.last.1.0")  # stored after whatever came before it
    assert errors == []
    assert await last_sequence(server) == 1
    assert await last_sequence(server, "DEAD_LETTERS") == 0


@pytest.mark.parametrize("user", [user for user in USERS if user != "admin"])
async def test_nobody_but_admin_alters_a_stream_or_a_roles_consumer(server: LogServer, user: str) -> None:
    requests = [
        f"$JS.API.STREAM.{verb}.{stream}"
        for verb in ("CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE", "RESTORE", "SNAPSHOT")
        for stream in ("APS", "ARTEFACTS", "DEAD_LETTERS")
    ]
    requests += ["$JS.API.CONSUMER.CREATE.APS"]
    for role in ROLES:
        requests += [
            f"$JS.API.CONSUMER.CREATE.APS.{role}",
            f"$JS.API.CONSUMER.CREATE.APS.{role}.aps.v1.>",
            f"$JS.API.CONSUMER.DURABLE.CREATE.APS.{role}",
            f"$JS.API.CONSUMER.DELETE.APS.{role}",
            f"$JS.API.CONSUMER.PAUSE.APS.{role}",
        ]
    assert await refusals(server, user, requests) == requests


@pytest.mark.parametrize("user", [user for user in USERS if user != "admin"])
async def test_a_role_fetches_and_acknowledges_its_own_work_alone(server: LogServer, user: str) -> None:
    others = [role for role in ROLES if role != user]
    requests = [f"$JS.API.CONSUMER.MSG.NEXT.APS.{role}" for role in others]
    requests += [f"$JS.ACK.APS.{role}.1.1.1.1.0" for role in others]
    assert await refusals(server, user, requests) == requests


async def test_a_role_fetches_its_work_and_acknowledges_it(server: LogServer) -> None:
    async with server.connection("cli") as connection:
        await append(store_of(connection), RollbackRequested(reason="test"), ChangeDeclined(reason="test"))
    async with server.connection("deployer") as connection:
        pull = await connection.jetstream().pull_subscribe_bind("deployer", stream="APS")
        messages = await pull.fetch(2, timeout=5)
        assert [message.subject.rpartition(".")[2] for message in messages] == [
            "rollback_requested",
            "change_declined",
        ]
        await messages[0].in_progress()
        for message in messages:
            await message.ack_sync(timeout=5)
        info = await ask(connection, "$JS.API.CONSUMER.INFO.APS.deployer")
    assert (info["num_pending"], info["num_ack_pending"], info["ack_floor"]["stream_seq"]) == (0, 0, 2)


async def test_the_inspector_sees_readable_events_live(server: LogServer) -> None:
    """As `nats sub` does: an ordinary client that knows nothing of inbox prefixes."""
    seen: asyncio.Queue[Msg] = asyncio.Queue()
    watcher = Client()
    await watcher.connect(server.url, user="inspector", password="p-inspector")
    try:
        await watcher.subscribe("aps.v1.improvement.*.change_deployed", cb=seen.put)
        await ask(watcher, "$JS.API.INFO")
        async with server.connection("deployer") as connection:
            first = await append(store_of(connection), deployed())
            await append(store_of(connection), deployed(), deployed(), expected=first)
        async with asyncio.timeout(5):
            messages = [await seen.get() for _ in range(3)]
    finally:
        await watcher.close()
    bodies = [json.loads(message.data) for message in messages]
    assert [body["type"] for body in bodies] == ["aps.improvement.change_deployed.v1"] * 3
    assert [body["sequence"] for body in bodies] == [1, 2, 3]
    assert bodies[0]["data"]["branch"] == "aps/improved"


@pytest.mark.parametrize("verb", ["CREATE", "DURABLE.CREATE"])
async def test_the_inspector_pages_through_the_log_as_the_nats_tool_does(
    server: LogServer, verb: str
) -> None:
    async with server.connection("deployer") as connection:
        await append(store_of(connection), deployed(), deployed())
    watcher = Client()
    await watcher.connect(server.url, user="inspector", password="p-inspector")
    try:
        assert "APS" in (await ask(watcher, "$JS.API.STREAM.NAMES"))["streams"]
        assert (await ask(watcher, "$JS.API.STREAM.INFO.APS"))["config"]["name"] == "APS"
        name = "stream_pager_1"
        config = {
            "durable_name": name,
            "ack_policy": "explicit",
            "deliver_policy": "all",
            "inactive_threshold": 3_600_000_000_000,
            "mem_storage": True,
            "num_replicas": 1,
        }
        created = await ask(
            watcher, f"$JS.API.CONSUMER.{verb}.APS.{name}", {"stream_name": "APS", "config": config}
        )
        assert "error" not in created
        page = await watcher.jetstream().pull_subscribe_bind(name, stream="APS")
        messages = await page.fetch(2, timeout=5)
        assert [json.loads(message.data)["sequence"] for message in messages] == [1, 2]
        for message in messages:
            await message.ack_sync(timeout=5)
        assert (await ask(watcher, f"$JS.API.CONSUMER.INFO.APS.{name}"))["num_ack_pending"] == 0
        assert (await ask(watcher, f"$JS.API.CONSUMER.DELETE.APS.{name}"))["success"]
    finally:
        await watcher.close()


async def test_the_inspector_is_refused_when_it_publishes(server: LogServer) -> None:
    subjects = ["aps.v1.improvement.i1.change_deployed", "aps.artefacts.x.1.0", "aps.dead.pm.x", "aps.bell"]
    subjects += ["$SRV.PING"]  # a service would answer wherever the request says, with its own rights
    assert await refusals(server, "inspector", subjects) == subjects


async def test_users_cannot_read_each_others_answers(server: LogServer) -> None:
    errors: list[str] = []
    async with server.connection("developer", errors) as connection:
        await connection.subscribe("_INBOX_qa.>")
        await connection.subscribe("_INBOX_admin.>")
        await ask(connection, "$JS.API.INFO")
    assert len([error for error in errors if "permissions violation for subscription" in error]) == 2


async def test_a_role_drops_dead_letters_under_its_own_name(server: LogServer) -> None:
    async with server.connection("pm") as connection:
        answer = await ask(connection, "aps.dead.pm.target.t1", {"why": "a test"})
        assert answer["stream"] == "DEAD_LETTERS"
    assert await refusals(server, "pm", ["aps.dead.qa.target.t1"]) == ["aps.dead.qa.target.t1"]


async def test_a_service_answers_those_who_may_ask(server: LogServer) -> None:
    errors: list[str] = []
    async with server.connection("qa", errors) as connection, server.connection("cli", errors) as asking:
        service = await add_service(connection, name="qa", version="1.0.0")
        await connection.flush()  # the server then knows of its subscriptions
        for verb in ("PING", "INFO", "STATS"):
            assert (await ask(asking, f"$SRV.{verb}.qa"))["name"] == "qa"
        await service.stop()
    assert errors == []


async def test_a_user_needs_its_password(server: LogServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await reader.readline()
    writer.write(b'CONNECT {"user": "developer", "pass": "wrong", "verbose": false}\r\nPING\r\n')
    assert b"Authorization Violation" in await reader.readline()
    writer.close()
    await writer.wait_closed()
