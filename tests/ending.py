"""Ends a session that is interrupted, its workers included, so that each gives back what it holds.

Rules
1. SIGTERM ends a session as Ctrl-C does: fixtures give back their servers and folders.
2. The process that spreads tests over workers hears signals alone and would kill them within seconds: it
   passes the signal on first and waits until each has finished.
3. A worker that ends is not interrupted again: what came twice would cut its giving back short.
"""

import os
import signal
import time
from types import FrameType

import pytest
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]  # it ships no types

GIVING_BACK_SECONDS = 60.0
LOOK_SECONDS = 0.1


class Workers:
    """The workers of this session."""

    def __init__(self) -> None:
        self._nodes: list[WorkerController] = []

    def pytest_testnodeready(self, node: WorkerController) -> None:
        self._nodes.append(node)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            self._end()

    def _end(self) -> None:
        working = [node for node in self._nodes if not _finished(node)]
        for node in working:
            os.kill(_pid(node), signal.SIGTERM)
        deadline = time.monotonic() + GIVING_BACK_SECONDS
        while not all(map(_finished, working)) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)


def _pid(node: WorkerController) -> int:
    return int(node.gateway._io.popen.pid)  # private, and the only place that tells it


def _finished(node: WorkerController) -> bool:
    """Say whether a worker said that its session is over, or is no more."""
    ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return hasattr(node, "workeroutput") or os.waitid(os.P_PID, _pid(node), ended) is not None


def _interrupted_once(number: int, frame: FrameType | None) -> None:
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    signal.default_int_handler(number, frame)


def install(config: pytest.Config) -> None:
    """Take over the signals of this process, and the workers it will have."""
    if hasattr(config, "workerinput"):
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, _interrupted_once)
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if config.pluginmanager.hasplugin("dsession"):
        config.pluginmanager.register(Workers(), "aps-workers")
