"""Gates on counts: a change stays small enough to review, and what it should fix is really gone."""

from dataclasses import dataclass

from schemas.improvement import GateResult
from services.gates.evidence import counted, verdict

SIZE_WITHIN = "size_within"
FINDINGS_GONE = "findings_gone"
VERSION = "1"


@dataclass(frozen=True)
class SizeLimit:
    """The most a change may touch; `lines` counts added and removed lines together."""

    files: int
    lines: int


def size_within(files: int, added: int, removed: int, limit: SizeLimit) -> GateResult:
    """Hold a change against a size a person can review."""
    lines = added + removed
    offences = []
    if files > limit.files:
        offences.append(f"{counted(files, 'file')} changed, at most {limit.files} allowed")
    if lines > limit.lines:
        offences.append(f"{counted(lines, 'line')} changed, at most {limit.lines} allowed")
    otherwise = f"{counted(files, 'file')}, {added} lines added, {removed} removed"
    return verdict(SIZE_WITHIN, VERSION, offences, otherwise)


def findings_gone(expected: int, before: int, after: int, suppressed: int) -> GateResult:
    """Require that `expected` findings are gone and that none was merely hidden.

    `before` and `after` count the rule's findings with every suppression in the source ignored.
    `suppressed` counts findings hidden after the change and not before, by comment or configuration.
    """
    gone = before - after
    offences = []
    if suppressed > 0:
        offences.append(f"{counted(suppressed, 'finding')} suppressed instead of fixed")
    if gone < expected:
        offences.append(f"{gone} of {expected} findings gone ({before} before, {after} after)")
    elif gone <= 0:
        offences.append(f"no finding is gone ({before} before, {after} after)")
    otherwise = f"{counted(gone, 'finding')} gone ({before} before, {after} after), none suppressed"
    return verdict(FINDINGS_GONE, VERSION, offences, otherwise)
