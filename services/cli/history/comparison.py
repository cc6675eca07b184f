"""What a repetition is told by: both sides in figures, and where their events differ."""

from schemas.base import Frozen
from services.cli.tables import show_table
from services.cli.work.spending import cost
from services.cycle.words import counted
from services.forking.likeness import Likeness
from services.forking.weighing import Weight

SHOWN = 20


class Rerun(Frozen):
    """One repetition. `seq` is the event of the request; an empty `fork` means that none was kept.

    `engine_calls` were made for the repetition, `answered_from_log` were not. `unanswered` says what the
    recording does not hold. `events` compares the two event by event, None with another engine.
    """

    improvement: str
    engine: str
    scan: str
    seq: int
    fork: str
    engine_calls: int
    answered_from_log: int
    unanswered: tuple[str, ...]
    events: Likeness | None
    original: Weight
    rerun: Weight


def show(found: Rerun) -> None:
    """Print both sides, and what differs."""
    sides = _shown(found.original), _shown(found.rerun)
    rows = [(name, one, other) for (name, one), (_, other) in zip(*sides, strict=True) if one or other]
    show_table((f"{found.improvement}!", "ORIGINAL", f"RERUN ({found.engine})"), rows)
    if found.events is not None and found.events.unlike:
        print()
        show_table(
            ("WHERE", "FACT!", "FIELD", "ORIGINAL", "RERUN"),
            [(u.where, u.fact, u.field, u.original, u.rerun) for u in found.events.unlike[:SHOWN]],
        )
        if len(found.events.unlike) > SHOWN:
            print(f"and {len(found.events.unlike) - SHOWN} more (--json shows all)")


def _shown(one: Weight) -> list[tuple[str, str]]:
    suite = "" if one.tests_passed is None else f"{one.tests_passed} pass, {one.tests_failed} fail"
    return [
        ("outcome", one.status.replace("_", " ")),
        ("reason", one.reason),
        ("engines", ", ".join(one.engines)),
        ("attempts", str(one.attempts or "")),
        ("tests before", "" if one.tests_before is None else f"{one.tests_before} pass"),
        ("tests after", suite),
        ("files", str(one.files or "")),
        ("lines", f"+{one.lines_added} -{one.lines_removed}" if one.files else ""),
        ("calls answered", f"{one.answered} of {one.calls}" if one.calls else ""),
        ("fixes by rule", str(one.rules or "")),
        ("tokens", f"{one.tokens_in}+{one.tokens_out}" if one.tokens_in or one.tokens_out else ""),
        ("cost", cost(one.billing, one.cost_micros)),
        ("time of engines", f"{one.engine_ms / 1000:.1f} s" if one.engine_ms else ""),
        ("time in all", f"{one.seconds} s"),
    ]


def verdict(found: Rerun) -> str:
    """Say in a few lines what the repetition shows."""
    calls = f"{counted(found.engine_calls, 'engine call')}, {found.answered_from_log} answered from the log"
    if found.events is None:
        same = "the same outcome" if found.original.status == found.rerun.status else "another outcome"
        return f"{same} with {found.engine}: {counted(found.engine_calls, 'engine call')}"
    lines = [f"{calls}; {counted(found.events.compared, 'event')} compared"]
    lines += [f"not answered: {why}" for why in found.unanswered]
    lines += [f"left out: {one}" for one in found.events.left_out]
    if found.events.equal:
        lines[0] += ": equal but for ids and times"
    else:
        lines[0] += f": {counted(len(found.events.unlike), 'difference')}"
    return "\n".join(lines)
