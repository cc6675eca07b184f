"""A target whose suite attacks: the cycle ends clearly, and the machine is as it was."""

import socket
from pathlib import Path

import pytest

from tests.acceptance.command import improve
from tests.acceptance.conftest import Repositories
from tests.acceptance.targets import BRANCH, fingerprint, git

pytestmark = pytest.mark.slow

ATTACK = """import os
import socket
import subprocess
import sys
from pathlib import Path


def attempt(work):
    try:
        work()
    except BaseException as refused:
        print(refused)


def test_it_tries():
    for place in ({places}):
        attempt(lambda: Path(place, "pwned").write_text("x"))
    attempt(lambda: socket.create_connection(("127.0.0.1", {port}), timeout=2).sendall(b"x"))
    attempt(lambda: socket.create_connection(("1.1.1.1", 53), timeout=2))
    attempt(lambda: subprocess.run(["git", "-C", "{root}", "commit", "--allow-empty", "-m", "pwned"]))
    attempt(lambda: os.kill(1, 9))
    assert not any(name.startswith("APS_") for name in os.environ)
"""


def test_a_suite_that_writes_outside_and_calls_out_reaches_nothing(
    home: Path, ground: Path, target: Repositories
) -> None:
    root = target(name="-victim")
    before, head = fingerprint(root), git(root, "rev-parse", "HEAD")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        places = (str(root), str(home), str(ground), "/tmp", str(Path.home()), "/usr/lib", "/var/tmp")  # noqa: S108 -- what an attack would write to
        attack = ATTACK.format(places=", ".join(map(repr, places)), port=listener.getsockname()[1], root=root)
        attacker = target({"tests/test_attack.py": attack})
        ended = improve(home, attacker)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert ended.outcome["tests_before"] == {"passed": 7, "failed": 0}
    assert "deployment_complete" in ended.statuses.values()
    assert [place for place in places if Path(place, "pwned").exists()] == []
    assert (fingerprint(root), git(root, "rev-parse", "HEAD")) == (before, head)


@pytest.mark.parametrize(
    ("name", "test"),
    [
        (
            "eats memory",
            "def test_it():\n    held = []\n    while True:\n        held.append(bytearray(16_000_000))\n",
        ),
        (
            "forks without end",
            "import os, time\n\ndef test_it():\n    while True:\n        try:\n            os.fork()\n"
            "        except OSError:\n            time.sleep(0.1)\n",
        ),
    ],
    ids=["memory", "forks"],
)
def test_a_suite_that_eats_the_machine_is_stopped(
    home: Path, target: Repositories, name: str, test: str
) -> None:
    root = target({"tests/test_greedy.py": test})
    before = fingerprint(root)
    ended = improve(home, root, APS_SUITE_TIMEOUT_SECONDS="5", APS_SUITE_MEMORY_MIB="256")
    assert ended.code == 0, ended.err
    assert fingerprint(root) == before
    landed = "deployment_complete" in ended.statuses.values()
    assert landed == (git(root, "branch", "--list", BRANCH) != ""), name
