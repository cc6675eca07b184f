"""What a look at a target found, without anything being done about it."""

import orjson

from events.target import TARGET
from schemas.base import Frozen
from services.cycle.text import plain_text
from services.runtime.log import Log


class Proposed(Frozen):
    """One improvement that could be made."""

    rule: str
    title: str
    why: str
    expected: int
    found: int
    files: tuple[str, ...]


class Found(Frozen):
    """A look at one commit, proposals in rank order."""

    target: str
    base: str
    scope: tuple[str, ...]
    findings: dict[str, int]
    proposals: tuple[Proposed, ...]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the look as lines for a person."""
        if not self.scope:
            return ["nothing was searched: the target has no import package"]
        total, fixable = sum(self.findings.values()), sum(one.expected for one in self.proposals)
        lines = [
            f"{one.expected:5} of {one.found:<5} {one.rule:8} {plain_text(one.title)}"
            for one in self.proposals
        ]
        return [*lines, f"{total} findings in {', '.join(self.scope)}; {fixable} can be fixed"]


async def found_by(book: Log, target_id: str, scan_id: str) -> Found:
    """Return what the scan found; raises LookupError when it failed."""
    state = await book.state(TARGET, target_id)
    scan = state.scans[scan_id]
    if scan.done is None or state.registered is None:
        raise LookupError(scan.failed.reason if scan.failed else "the scan is not done")
    report = orjson.loads(await book.fetch(scan.done.report))
    fields = ("rule", "title", "why", "expected", "found", "files")
    return Found(
        target=state.registered.path,
        base=scan.done.base,
        scope=scan.done.packages,
        findings=scan.done.findings,
        proposals=tuple(Proposed(**{name: one[name] for name in fields}) for one in report["proposals"]),
        notes=scan.done.notes,
    )
