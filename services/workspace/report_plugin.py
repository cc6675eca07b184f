"""Reports a pytest run as JSON lines; loaded into the target's own pytest, so it stands alone.

Rules:
1. Imports nothing of ours and works with pytest 6 and later. Lines are appended one by one, so that a run
   that dies leaves what it did; the `end` line is written last, so that its absence shows a death.
2. A reported id is the same in every run: object addresses and the tree's own path are taken out, and what
   is then equal is numbered in order of collection.
3. What the tests patch or close (`os`, descriptors, the environment) must not reach the report.
"""

import json
import os
import re

import pytest

_MOST_TEXT = 4000
_PATH = os.environ.pop("APS_REPORT", "")
_ONLY = os.environ.pop("APS_ONLY", "")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")


class _Report:
    """The report file, opened anew for each line."""

    def __init__(self, path):
        self._path, self._process = path, os.getpid()
        self._open, self._write, self._close, self._pid = os.open, os.write, os.close, os.getpid
        self._flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._dumps = json.dumps

    def line(self, **fields):
        if not self._path or self._pid() != self._process:
            return
        content = (self._dumps(fields) + "\n").encode("ascii")
        handle = self._open(self._path, self._flags, 0o644)
        try:
            self._write(handle, content)
        finally:
            self._close(handle)


_report = _Report(_PATH)
_names = {}


def _stable(nodeid, root):
    return _ADDRESS.sub("0x", nodeid.replace(root + os.sep, "").replace(root, "."))


def _tail(report):
    try:
        text = report.longreprtext
    except Exception as error:  # a plugin's own report may not render
        text = repr(error)
    return text[-_MOST_TEXT:]


def pytest_configure(config):
    _report.line(kind="start", pytest=pytest.__version__)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session, config, items):
    root, seen = str(config.rootdir), {}
    for item in items:
        name = _stable(item.nodeid, root)
        seen[name] = seen.get(name, 0) + 1
        unique = name if seen[name] == 1 else f"{name}#{seen[name]}"
        if unique != item.nodeid and item.nodeid in _names.values():
            item._nodeid = unique
        _names[item.nodeid] = unique
    if _ONLY:
        with open(_ONLY) as opened:
            wanted = set(json.load(opened))
        dropped = [item for item in items if _names[item.nodeid] not in wanted]
        items[:] = [item for item in items if _names[item.nodeid] in wanted]
        config.hook.pytest_deselected(items=dropped)
    _report.line(kind="collected", count=len(items))


def pytest_collectreport(report):
    if report.failed:
        _report.line(kind="broken", id=report.nodeid or "collection", text=_tail(report))


def _outcome(report):
    if hasattr(report, "wasxfail"):
        return {"skipped": "xfailed", "passed": "xpassed"}.get(report.outcome)
    if report.when == "call":
        return report.outcome
    return {"failed": "error", "skipped": "skipped"}.get(report.outcome)


def pytest_runtest_logreport(report):
    outcome = _outcome(report)
    if outcome in ("passed", "failed", "error", "skipped", "xfailed", "xpassed"):
        text = _tail(report) if outcome in ("failed", "error") else ""
        _report.line(kind="test", id=_names.get(report.nodeid, report.nodeid), outcome=outcome, text=text)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    _report.line(kind="end", status=int(exitstatus))
