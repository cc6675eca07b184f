"""Verifies that findings are gone from the code, not merely from the report."""

from collections import Counter
from collections.abc import Iterable

from schemas.base import Frozen
from schemas.findings import Finding
from services.engines.deterministic.finding import Scan


class Verdict(Frozen):
    """What two scans say of a change.

    `gone` counts the rule's findings that left. `problems` are reasons not to believe it, empty when
    all is well. `introduced` are findings of other rules that were not there before: no problem by
    themselves, but the reviewer should know.
    """

    gone: int
    problems: tuple[str, ...]
    introduced: tuple[Finding, ...]


def verify_gone(before: Scan, after: Scan, rule: str) -> Verdict:
    """Compare scans of the same packages under the same rules, before and after a fix of `rule`."""
    gone = _count(before.findings, rule) - _count(after.findings, rule)
    bare = _count(before.unmasked, rule) - _count(after.unmasked, rule)
    problems = []
    if bare < gone:
        problems.append(f"{gone - bare} findings of {rule} are suppressed, not fixed")
    if lost := sorted(set(before.files) - set(after.files)):
        problems.append(f"files are no longer looked at: {', '.join(lost)}")
    if new := sorted(set(after.files) - set(before.files)):
        problems.append(f"files appeared: {', '.join(new)}")
    if unread := sorted(set(after.notes) - set(before.notes)):
        problems.append(f"files are no longer read in full: {'; '.join(unread)}")
    if before.settings != after.settings:
        changed = {s.path for s in set(before.settings) ^ set(after.settings)}
        problems.append(f"settings of checks changed: {', '.join(sorted(changed))}")
    return Verdict(gone=gone, problems=tuple(problems), introduced=_introduced(before, after, rule))


def _count(findings: Iterable[Finding], rule: str) -> int:
    return sum(finding.rule == rule for finding in findings)


def _introduced(before: Scan, after: Scan, rule: str) -> tuple[Finding, ...]:
    """Findings in files where their rule fires more often than it did.

    A fix may rewrite a line on which another rule fired all along, so places alone prove nothing.
    """
    was = Counter((f.rule, f.path) for f in before.unmasked)
    now = Counter((f.rule, f.path) for f in after.unmasked)
    known = Counter((f.rule, f.site) for f in before.unmasked)
    found = []
    for finding in after.unmasked:
        more = now[finding.rule, finding.path] > was[finding.rule, finding.path]
        known[finding.rule, finding.site] -= 1
        if finding.rule != rule and more and known[finding.rule, finding.site] < 0:
            found.append(finding)
    return tuple(found)
