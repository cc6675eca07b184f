"""What a cycle says at the command line: one line while it runs, and what to do once it is over."""

from pathlib import Path

import pytest

from events.envelope import Cause
from events.target import TARGET
from services.cli.cycle.afterwards import afterwards
from services.cli.cycle.watching import is_of, line
from services.cycle.outcome import Outcome, Waiting, outcome_of
from services.cycle.progress import CyclePhase, Progress
from services.cycle.requesting import Asked, Place
from services.steering.letters import Closing, DeadLetter, given_up
from services.workspace.checkout import Workspace
from services.workspace.target import TargetInspection
from tests import cycle_example as example
from tests.cycle_example import BAD, GOOD, HELD, NOW, SCAN, Recorder, T

APS = "APS_HOME=/srv/aps aps"
PAGE = Path("/srv/aps/reports/shop-1234-s1.html")
LONG = "suite run 12; before it 4 of 8 changes failed with the tests as they were"


@pytest.fixture
async def outcome() -> Outcome:
    recorder = Recorder()
    await example.whole(recorder)
    return await outcome_of(recorder.book, Workspace(Path("/home/aps")), T, SCAN)


def told(outcome: Outcome, *said: str) -> list[str]:
    return afterwards(outcome, PAGE, APS, said)


def nothing_new(outcome: Outcome, **changed: object) -> Outcome:
    return outcome.model_copy(update={"nothing_new": True, "waiting": (), **changed})


@pytest.mark.parametrize("width", [40, 60, 77, 117])
def test_a_line_of_progress_is_never_wider_than_the_terminal(width: int) -> None:
    shown = line(Progress(CyclePhase.TRIAL, 3, 8, 12, 61_000, LONG), 75, width)
    assert len(shown) <= width
    assert shown.startswith("   75 s  trial: ")


def test_the_note_gives_way_before_the_figures_do() -> None:
    shown = line(Progress(CyclePhase.TRIAL, 3, 8, 12, 61_000, LONG), 75, 77)
    assert shown.endswith("…  3 of 8  about 1 min 1 s left")


def test_a_hostile_note_stays_on_its_line() -> None:
    shown = line(Progress(CyclePhase.DONE, 0, 0, 0, None, "a\nb\x1b[2J"), 1, 77)
    assert "\n" not in shown
    assert "\x1b" not in shown


def test_figures_that_say_nothing_are_left_out() -> None:
    assert line(Progress(CyclePhase.SCANNING, 0, 0, 0, None, "looking"), 0) == "    0 s  scanning: looking"


def test_every_command_reaches_the_same_data_folder(outcome: Outcome) -> None:
    lines = told(outcome)
    assert f"details:  {APS} improvements show {GOOD}" in lines
    assert f"waiting:  {HELD} needs a person: {APS} improvements approve {HELD}" in lines


def test_failing_tests_and_other_notes_are_told_once(outcome: Outcome) -> None:
    said = "1 file has uncommitted changes: left alone"
    assert "note:     1 test failed before any change: bad" in told(outcome, said)
    assert not [one for one in told(outcome, said) if "uncommitted" in one]
    many = tuple(f"note {n}" for n in range(8))
    assert "note:     2 more notes in the report" in told(outcome.model_copy(update={"notes": many}))


def test_nothing_new_is_said_only_when_nothing_happened(outcome: Outcome) -> None:
    assert not outcome.nothing_new
    assert not [one for one in told(outcome) if "nothing new" in one]
    assert "nothing new at bbbbbbbbbbbb: what was found" in "\n".join(told(nothing_new(outcome)))


async def test_landing_what_was_known_before_is_news() -> None:
    recorder = Recorder()
    await example.proven(recorder)
    request = (await recorder.book.state(TARGET, T)).scans[SCAN].requested
    found = (await recorder.book.state(TARGET, T)).scans[SCAN].done
    assert found is not None
    recorder.cause = Cause("cli@x", "aps/cli", "33333333-3333-4333-8333-333333333333")
    again = f"{T}-s2"
    await recorder.record(TARGET, T, request.model_copy(update={"scan": again}))
    claim = await recorder.claim(TARGET, T, "scan")
    known = found.model_copy(update={"scan": again, "claim": claim, "known": found.improvements})
    await recorder.record(TARGET, T, known)
    workspace = Workspace(Path("/home/aps"))
    assert (await outcome_of(recorder.book, workspace, T, again)).nothing_new
    await example.landed(recorder, "d2", GOOD)
    assert not (await outcome_of(recorder.book, workspace, T, again)).nothing_new


def test_what_a_dry_run_proved_is_landed_within_the_same_bounds(outcome: Outcome) -> None:
    needs = Waiting(id=HELD, needs="a run without --dry-run")
    dry = outcome.model_copy(
        update={"dry_run": True, "waiting": (needs,), "limit": 3, "rules": ("F", "UP"), "origin": "/srv/a b"}
    )
    assert f"land it:  {APS} improve '/srv/a b' --limit 3 --rules F,UP" in told(dry)


def test_what_waits_before_it_is_proven_cannot_be_landed(outcome: Outcome) -> None:
    needs = Waiting(id=HELD, needs="a higher APS_BUDGET_DAY")
    planned = tuple(
        one.model_copy(update={"status": "requirements_complete"} if one.id == HELD else {})
        for one in outcome.improvements
    )
    dry = outcome.model_copy(update={"dry_run": True, "waiting": (needs,), "improvements": planned})
    lines = told(dry)
    assert f"waiting:  {HELD} needs a higher APS_BUDGET_DAY" in lines
    assert not [one for one in lines if one.startswith("land it:")]


def test_a_limit_used_up_by_what_waits_is_told(outcome: Outcome) -> None:
    waiting = (Waiting(id=HELD, needs="a person"),)
    assert told(nothing_new(outcome, waiting=waiting, limit=1))[-1].endswith("or raise --limit")
    assert told(nothing_new(outcome, waiting=waiting))[-1].endswith("decide about what waits")


def test_the_merge_is_advised_only_where_something_landed(outcome: Outcome) -> None:
    assert "merge the branch" in told(nothing_new(outcome))[-1]
    assert "merge the branch" not in told(nothing_new(outcome, improvements=()))[-1]


def test_why_rules_were_not_proposed_again_is_left_to_the_report(outcome: Outcome) -> None:
    assert "note:     not proposed again, as the report explains: UP031" in told(outcome)
    assert not [one for one in told(outcome) if "up031-9 was abandoned" in one]


def test_what_was_set_aside_is_not_called_nothing_to_fix(outcome: Outcome) -> None:
    aside = nothing_new(outcome, improvements=(), remembered={"F401": "already on aps/improved: …"})
    assert told(aside)[-1] == "nothing new at bbbbbbbbbbbb: 1 rule not proposed again"
    nothing = nothing_new(outcome, improvements=(), remembered={})
    assert told(nothing)[-1].startswith("nothing that can be fixed by rule was found")


def test_what_a_role_gave_up_on_names_the_way_out() -> None:
    letter = DeadLetter(number=3, role="qa", seq=42, subject="aps.v1.batch.b1.formed", reason="boom")
    assert f"when the cause is gone: {APS} dead replay 3, then run this again" in given_up(letter, APS)
    closing = Closing(letter=3, how="discarded", reason="no matter", by="ada", at=NOW)
    closed = given_up(letter.model_copy(update={"closed": closing}), APS)
    assert "was discarded by ada: no matter" in closed
    assert f"to do it after all: {APS} dead replay 3" in closed


def about(subject: str, seq: int = 1) -> DeadLetter:
    return DeadLetter(number=1, role="qa", seq=seq, subject=f"aps.v1.{subject}", reason="boom")


async def test_only_a_letter_about_this_cycle_holds_it_up() -> None:
    recorder = Recorder()
    await example.whole(recorder)
    inspection = TargetInspection(Path("/srv/shop it"), "b" * 40, "main", False, ())
    place = Place(T, inspection.root, str(inspection.root), "shop", str(inspection.root), inspection)
    asked = Asked(place, SCAN, followed=True)
    mine = (
        about(f"improvement.{GOOD}.change_implemented"),
        about(f"batch.{example.B}.formed"),
        about("deployment.d1.succeeded"),
        about(f"target.{T}.scan_requested", seq=2),
    )
    others = (
        about("improvement.sim201-9.change_implemented"),
        about("batch.shop-1234-s0-b1.formed"),
        about("deployment.d9.succeeded"),
        about(f"target.{T}.registered"),
        about("target.toolz.scan_requested", seq=2),
        about("run.r1.completed"),
    )
    assert [await is_of(recorder.book, asked, one) for one in mine] == [True] * 4
    assert [await is_of(recorder.book, asked, one) for one in others] == [False] * 6


def in_words(outcome: Outcome, *ids: str, **changed: object) -> Outcome:
    """The outcome of a request, with these improvements alone."""
    mine = [one.model_copy(update={"source": "request"}) for one in outcome.improvements if one.id in ids]
    return outcome.model_copy(update={"improvements": tuple(mine), **changed})


def test_after_a_request_no_rules_are_spoken_of(outcome: Outcome) -> None:
    done = in_words(outcome, GOOD, waiting=(), scope=())
    for one, ends in (
        (done, f"undo one: {APS} improvements rollback {GOOD}"),
        (nothing_new(done), "try next: merge the branch, or ask for something else"),
        (nothing_new(in_words(outcome, BAD)), "try next: ask in other words"),
        (nothing_new(in_words(outcome, HELD), waiting=outcome.waiting), "try next: decide about what waits"),
    ):
        lines = told(one)
        assert [line for line in lines if "rule" in line or "searched" in line] == []
        assert ends in lines


def test_a_request_that_a_dry_run_proved_is_landed_by_a_decision(outcome: Outcome) -> None:
    needs = Waiting(id=HELD, needs="a run without --dry-run")
    dry = in_words(outcome, HELD, dry_run=True, waiting=(needs,), rules=())
    assert f"land it:  {APS} improvements approve {HELD}" in told(dry)
