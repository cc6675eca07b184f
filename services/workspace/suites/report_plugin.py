"""Reports a pytest run as JSON lines; loaded into the target's own pytest, so it stands alone.

Rules:
1. Imports nothing of ours, is imported by nothing of ours, and works with pytest 6 and later.
2. Lines are appended one by one, so that a run that dies leaves what it did; the `end` line is written
   last, so that its absence shows a death.
3. A reported id is the same in every run: object addresses and the tree's own path are taken out, and what
   is then equal is numbered in order of collection.
4. What the tests patch or close (`os`, descriptors, the environment) must not reach the report.
"""

import json
import os
import re

import pytest

_MOST_TEXT = 8000  # twice what is kept: secrets are taken out of it first
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
_OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


class _Report:
    """The report file, opened anew for each line; a forked child of a test stays silent."""

    def __init__(self, path: str) -> None:
        self._path, self._process = path, os.getpid()
        self._open, self._write, self._close, self._pid = os.open, os.write, os.close, os.getpid
        self._flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._dumps = json.dumps

    def line(self, **fields: object) -> None:
        if not self._path or self._pid() != self._process:
            return
        content = (self._dumps(fields) + "\n").encode("ascii")
        handle = self._open(self._path, self._flags, 0o644)
        try:
            self._write(handle, content)
        finally:
            self._close(handle)


_report = _Report(os.environ.pop("APS_REPORT", ""))
_only = os.environ.pop("APS_ONLY", "")
_names: dict[str, str] = {}


def _stable(nodeid: str, root: str) -> str:
    escaped = root.encode("unicode_escape").decode("ascii")  # as pytest writes parameters into ids
    for place in (root, escaped):
        nodeid = nodeid.replace(place + os.sep, "").replace(place, ".")
    return _ADDRESS.sub("0x", nodeid)


def _asked_for(name: str, wanted: set[str]) -> bool:
    file = name.partition("::")[0]
    above = {file.rsplit("/", depth)[0] for depth in range(file.count("/") + 1)}
    return name in wanted or not above.isdisjoint(wanted)


def _text(report: pytest.TestReport | pytest.CollectReport) -> str:
    try:
        text = report.longreprtext
        cut = text[-_MOST_TEXT:]
        return cut if cut == text else cut.partition("\n")[2] or cut
    except Exception as error:  # noqa: BLE001 -- a plugin's own report may not render; its outcome still counts
        return f"the report could not be shown: {error!r}"


def pytest_configure() -> None:
    """Say that pytest accepted its configuration."""
    _report.line(kind="start", pytest=pytest.__version__)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every test its stable id, and leave out what was not asked for."""
    root, seen = str(config.rootpath), dict[str, int]()
    for item in items:
        name = _stable(item.nodeid, root)
        seen[name] = seen.get(name, 0) + 1
        unique = name if seen[name] == 1 else f"{name}#{seen[name]}"
        if item.nodeid in _names:  # two tests of one id: their reports could not be told apart
            item._nodeid = unique  # type: ignore[attr-defined]  # pytest offers no other way
        _names[item.nodeid] = unique
    if _only:
        with open(_only, encoding="utf-8") as opened:  # noqa: PTH123 -- tests may patch pathlib
            wanted = set(json.load(opened))
        dropped = [item for item in items if not _asked_for(_names[item.nodeid], wanted)]
        items[:] = [item for item in items if _asked_for(_names[item.nodeid], wanted)]
        config.hook.pytest_deselected(items=dropped)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Say how many tests are going to run, so that an early end shows; one listed twice is one test."""
    _report.line(kind="collected", count=len({item.nodeid for item in session.items}))


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Report what could not be collected."""
    if report.failed:
        _report.line(kind="broken", id=report.nodeid or "collection", text=_text(report))


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return {"skipped": "xfailed", "passed": "xpassed"}.get(report.outcome, "failed")
    if report.when == "call":
        return report.outcome
    return {"failed": "error", "skipped": "skipped"}.get(report.outcome, "")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Report one phase of one test, when it says something."""
    outcome = _outcome(report)
    if outcome in _OUTCOMES:
        text = _text(report) if outcome in ("failed", "error") else ""
        _report.line(kind="test", id=_names.get(report.nodeid, report.nodeid), outcome=outcome, text=text)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    """Write the last line."""
    _report.line(kind="end", status=int(exitstatus))
