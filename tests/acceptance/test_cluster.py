"""A whole cycle on a cluster of three NATS servers that keep each stream three times."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.command import aps, improve
from tests.acceptance.conftest import Repositories
from tests.cluster_servers import Cluster
from tests.conftest import run
from tests.log_server import PASSWORDS

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    servers = Cluster(tmp_path)
    try:
        run(servers.start())
        yield servers
    finally:
        servers.kill()


@pytest.fixture
def settings(cluster: Cluster, database: str) -> dict[str, str]:
    """What a process on the cluster is given."""
    return {"NATS_URL": cluster.url, "NATS_REPLICAS": "3", "DATABASE_URL": database, **PASSWORDS}


def test_a_cycle_runs_on_three_servers_and_with_one_of_them_gone(
    cluster: Cluster,
    settings: dict[str, str],
    fresh_home: Callable[[str], Path],
    target: Repositories,
) -> None:
    home = fresh_home("clustered")
    assert aps(home, "setup", **settings).code == 0
    assert run(cluster.drift()) == []
    first = improve(home, target(name="-three"), **settings)
    assert first.statuses["F401"] == "deployment_complete"
    cluster.nodes[0].kill()
    second = improve(home, target(name="-two"), **settings)
    assert second.statuses == first.statuses
    run(cluster.restart(cluster.nodes[0]))
    for command in (("events", "verify"), ("replay", "--check")):
        ended = aps(home, *command, **settings)
        assert ended.code == 0, ended.err


def test_a_service_refuses_streams_with_fewer_copies_than_it_is_told(
    cluster: Cluster, settings: dict[str, str], fresh_home: Callable[[str], Path]
) -> None:
    home = fresh_home("fewer")
    assert aps(home, "setup", **{**settings, "NATS_REPLICAS": "1"}).code == 0
    refused = aps(home, "status", **settings)
    assert "num_replicas" in refused.err, refused.err
    assert "run `aps setup`" in refused.err
    raised = aps(home, "setup", **settings)
    assert "stream APS: num_replicas was 1, is declared 3" in raised.err
    assert run(cluster.drift()) == []


def test_who_has_not_the_password_of_the_routes_does_not_join(cluster: Cluster, tmp_path: Path) -> None:
    stranger = Cluster(tmp_path / "stranger").nodes[0]
    stranger.folder.mkdir(parents=True)
    routes = [route.replace("p-route", "p-wrong") for route in cluster.routes]
    stranger.start(routes)
    try:
        said = stranger.folder / "log"
        run(logged(said, "Authorization Violation"))
    finally:
        stranger.kill()


async def logged(file: Path, words: str) -> None:
    """Wait until a log says so."""
    async with asyncio.timeout(30):
        while words not in await asyncio.to_thread(file.read_text):  # noqa: ASYNC110 -- a file tells nobody
            await asyncio.sleep(0.1)
