"""The gate on coverage: no line that a change writes goes unexecuted where its forerunners were executed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unidiff import Hunk, PatchSet
from unidiff.patch import Line

from schemas.improvement import GateResult
from schemas.suite import SuiteReport
from services.gates.evidence import counted, verdict

NO_NEWLY_UNCOVERED = "no_newly_uncovered"
VERSION = "1"


@dataclass(frozen=True)
class _Block:
    """Neighbouring removed and added lines, by number; `before` are those that stood for the place."""

    before: tuple[int, ...]
    added: tuple[int, ...]


def no_newly_uncovered(
    baseline: SuiteReport, after: SuiteReport, diff: str, *, measured: bool, why_not: str = ""
) -> GateResult:
    """Refuse a change with a line that is not executed, in place of lines that all were.

    Where coverage was not `measured`, it passes and says so. Lines added in code that was not executed
    before are no offence: the change did not make them worse.
    """
    if not measured:
        return verdict(NO_NEWLY_UNCOVERED, VERSION, [], f"not measured: {why_not or 'no reason was given'}")
    return judged(newly_uncovered(baseline, after, diff), diff)


def judged(lines: Sequence[tuple[str, int]], diff: str) -> GateResult:
    """Refuse a change with newly uncovered `lines`; `diff` says how much it writes."""
    offences = [f"{path}:{line} is not executed" for path, line in lines]
    written = PatchSet(diff).added
    otherwise = f"{counted(written, 'written line')}, none newly unexecuted"
    return verdict(NO_NEWLY_UNCOVERED, VERSION, offences, otherwise)


def newly_uncovered(baseline: SuiteReport, after: SuiteReport, diff: str) -> list[tuple[str, int]]:
    """Return, by path and number in the new file, the written lines that lost their coverage."""
    lost = []
    for file in PatchSet(diff):
        source, path = file.source_file.removeprefix("a/"), file.path
        missed_before, missed = set(baseline.missing.get(source, ())), set(after.missing.get(path, ()))
        executable = missed_before | set(baseline.covered.get(source, ()))
        for hunk in file:
            for block in _blocks(hunk, executable):
                if not missed_before & set(block.before):
                    lost += [(path, line) for line in block.added if line in missed]
    return lost


def _blocks(hunk: Hunk, executable: set[int]) -> Iterator[_Block]:
    """Each change of a hunk. Where nothing executable was replaced, its neighbours stand for the place."""
    lines: list[Line] = [line for line in hunk if line.is_added or line.is_removed or line.is_context]
    at = 0
    while at < len(lines):
        if lines[at].is_context:
            at += 1
            continue
        end = at
        while end < len(lines) and not lines[end].is_context:
            end += 1
        block = lines[at:end]
        replaced = tuple(n for line in block if line.is_removed and (n := line.source_line_no) in executable)
        before = replaced or _neighbours(lines, at, end, executable)
        yield _Block(before, tuple(line.target_line_no for line in block if line.is_added))
        at = end


def _neighbours(lines: list[Line], start: int, end: int, executable: set[int]) -> tuple[int, ...]:
    """The nearest executable context lines of the hunk above and below."""
    above = (line.source_line_no for line in reversed(lines[:start]) if line.is_context)
    below = (line.source_line_no for line in lines[end:] if line.is_context)
    nearest = (next((n for n in side if n in executable), None) for side in (above, below))
    return tuple(n for n in nearest if n is not None)
