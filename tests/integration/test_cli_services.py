"""The commands that run, examine and remove services, each as a process of its own on real servers."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import socket
import stat
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from events.rights import SERVICES
from tests.cli_process import COMMAND, PATIENCE, ended, environment

Aps = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "Running"]


class Running:
    """A command that runs until told to stop; `said` is its first line of JSON."""

    def __init__(self, home: Path, *arguments: str) -> None:
        with (home / "words").open("ab") as words:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments, "--json"],
                env=environment(home),
                stdout=subprocess.PIPE,
                stderr=words,
                text=True,
            )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.said: dict[str, Any] = json.loads(self._lines.get(timeout=PATIENCE) or "{}")

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def health(self) -> tuple[int, dict[str, Any]]:
        """Return the status and the components by name."""
        try:
            with urllib.request.urlopen(f"{self.said['url']}/api/health", timeout=PATIENCE) as answer:  # noqa: S310 -- the address is our own
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as problem:
            with problem:
                status, body = problem.code, problem.read()
        return status, {one["name"]: one for one in json.loads(body)["components"]}

    def until(self, right: Callable[[int, dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask for the health until it is as expected; each question takes the gateway's time."""
        for _ in range(200):
            status, components = self.health()
            if right(status, components):
                return components
        raise AssertionError((status, components))


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Start commands, which end with the test."""
    started: list[Running] = []
    home.mkdir(mode=0o711)

    def begin(*arguments: str) -> Running:
        started.append(Running(home, *arguments))
        return started[-1]

    yield begin
    for one in reversed(started):
        one.stop()
        assert one.process.stdout
        one.process.stdout.close()


@pytest.fixture
def aps(home: Path) -> Aps:
    """Run a command to its end."""
    return partial(ended, home)


def failed(components: dict[str, Any]) -> set[str]:
    return {name for name, one in components.items() if one["state"] == "failed"}


def pid_of(components: dict[str, Any], name: str) -> int:
    (instance,) = components[name]["instances"]
    return int(instance.rpartition("-")[2])


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_runs_all_services_until_told_to_stop(start: Start, home: Path, number: signal.Signals) -> None:
    up = start("up", "--port", "0")
    status, components = up.health()
    assert (status, failed(components)) == (200, set())
    assert set(SERVICES) <= components.keys()
    assert up.said["services"] == list(SERVICES)
    assert up.stop(number) == 0


def test_up_looks_at_a_target_and_stops_in_the_middle_of_it(start: Start, aps: Aps, tmp_path: Path) -> None:
    target = tmp_path / "project"
    target.mkdir()
    (target / "project.py").write_text("import os\n")
    git = ["git", "-C", str(target), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "Begin"]):
        subprocess.run([*git, *words], check=True)
    up = start("up", "--port", "0", "--target", str(target))
    (asked,) = up.said["targets"]
    assert asked["scan"].startswith(asked["target"])
    assert up.stop() == 0


def test_up_refuses_a_target_that_is_no_repository(aps: Aps, tmp_path: Path) -> None:
    refused = aps("up", "--port", "0", "--target", str(tmp_path))
    assert refused.returncode == 2
    assert "repository" in refused.stderr


def test_each_service_as_a_process_of_its_own(start: Start) -> None:
    up = start("up", "--port", "0", "--processes")
    components = up.until(lambda status, _: status == 200)
    pids = {name: pid_of(components, name) for name in SERVICES}
    assert len({*pids.values(), up.process.pid}) == len(SERVICES) + 1
    os.kill(pids["developer"], signal.SIGKILL)
    os.kill(pids["qa"], signal.SIGTERM)
    components = up.until(
        lambda _, found: (
            found["developer"]["instances"] != components["developer"]["instances"]
            and failed(found) == {"qa"}
        )
    )
    assert up.health()[0] == 503
    pids["developer again"] = pid_of(components, "developer")
    assert up.stop() == 0
    assert [name for name, pid in pids.items() if not is_gone(pid)] == []


def test_services_do_not_outlive_their_supervisor(start: Start, aps: Aps) -> None:
    up = start("up", "--port", "0", "--processes")
    components = up.until(lambda status, _: status == 200)
    up.stop(signal.SIGKILL)
    pids = [pid_of(components, name) for name in SERVICES]
    for _ in range(int(PATIENCE * 100)):
        if all(map(is_gone, pids)):
            break
        threading.Event().wait(0.01)
    aps("status", "--json")  # the servers outlive a killed command; the next one adopts and stops them
    assert not [pid for pid in pids if not is_gone(pid)]


def test_two_copies_of_a_role_are_seen_and_either_may_go(start: Start, aps: Aps) -> None:
    up = start("up", "--port", "0")
    copy = start("run", "developer")
    found = up.until(lambda _, components: len(components["developer"]["instances"]) == 2)
    assert copy.said["instance"] in found["developer"]["instances"]
    status = json.loads(aps("status", "--json", "--min-health", "ok").stdout)
    assert {one["name"]: len(one["instances"]) for one in status["components"]}["developer"] == 2
    assert copy.stop() == 0
    up.until(lambda code, components: code == 200 and len(components["developer"]["instances"]) == 1)


def test_an_ordinary_client_reads_the_log_with_the_context_file(start: Start, aps: Aps, home: Path) -> None:
    start("up", "--port", "0")
    done = aps("setup", "--json")
    assert done.returncode == 0, done.stderr
    file = Path(json.loads(done.stdout)["context"])
    assert file.parent == home
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "nats --context" in done.stderr
    context = json.loads(file.read_text())

    async def ask() -> dict[str, Any]:
        client = Client()
        await client.connect(
            context["url"],
            user=context["user"],
            password=context["password"],
            inbox_prefix=context["inbox_prefix"].encode(),
        )
        try:
            answer = await client.request("$JS.API.STREAM.INFO.APS", timeout=5)
        finally:
            await client.close()
        found: dict[str, Any] = json.loads(answer.data)
        return found

    assert asyncio.run(ask())["config"]["name"] == "APS"


def test_a_port_in_use_ends_up_before_anything_is_started(aps: Aps, home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = aps("up", "--port", str(port))
    assert refused.returncode == 6
    assert f"port {port} is taken" in refused.stderr
    assert "--port" in refused.stderr
    assert not (home / "servers").exists()


def test_an_unknown_role_is_told_those_there_are(aps: Aps) -> None:
    refused = aps("run", "manager")
    assert refused.returncode == 2
    assert all(name in refused.stderr for name in SERVICES)


def test_status_tells_what_does_not_run(aps: Aps) -> None:
    told = aps("status", "--json", "--min-health", "degraded")
    assert told.returncode == 6
    components = {one["name"]: one for one in json.loads(told.stdout)["components"]}
    assert failed(components) == set(SERVICES)
    assert aps("status").returncode == aps("doctor").returncode == 0


def test_status_tells_on_one_line_why_everything_is_paused(aps: Aps) -> None:
    assert aps("pause", "--reason", "a release\nnats  failed").returncode == 0
    told = aps("status").stderr
    assert "everything is paused (a release nats failed)" in " ".join(told.split("\n")[:1]), told


def test_reset_waits_for_nobody_and_spares_what_is_not_ours(
    start: Start, aps: Aps, home: Path, tmp_path: Path
) -> None:
    up = start("up", "--port", "0")
    mine = home / "my project"
    mine.mkdir()
    (home / ".env").write_text("APS_LOG_LEVEL=info\n")
    elsewhere = tmp_path / "kept"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (home / "sources").symlink_to(elsewhere)
    refused = aps("reset", "--yes")
    assert refused.returncode == 6
    assert "in use by another command" in refused.stderr
    assert up.health()[0] == 200
    up.stop()
    assert aps("reset").returncode == 2  # nobody is there to ask
    assert (home / "servers").exists()
    done = aps("reset", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in home.iterdir()} == {"my project", ".env", "words"}
    assert (elsewhere / "file").exists()
    assert aps("reset", "--yes").returncode == 0
