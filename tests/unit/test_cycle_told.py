"""A recorded cycle is told as JSON, as a table and as a report; nothing of the target breaks out of it."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from events.improvement import IMPROVEMENT
from events.improvement_facts import ChangeRolledBack, RollbackRefused, RollbackRequested
from events.target import TARGET, Registered, ScanFailed, ScanRequested
from schemas.suite import Outcome as Ran
from schemas.suite import SuiteEnd, SuiteReport
from services.cycle.chronicle import UnknownScan
from services.cycle.outcome import Outcome, outcome_of, reason_of
from services.cycle.report import Details, details_of, html, markdown
from services.cycle.table import lines, show
from services.workspace.checkout import Workspace
from tests import cycle_example as example
from tests.cycle_example import BAD, BASE, GOOD, HELD, PART, SCAN, TIP, TREE, Recorder, T

APS = "APS_HOME=/srv/aps aps"
HOSTILE = "Use <script>alert(1)</script> [link](http://x.invalid) \x1b[31m\u202e | `a`"
IN_ORDER = (
    "target base head branch scope engine findings_before findings_after tests_before tests_after "
    "suite_runs seconds events improvements"
)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


async def told(r: Recorder) -> tuple[Outcome, Details]:
    outcome = await outcome_of(r.book, Workspace(Path("/home/aps")), T, SCAN)
    return outcome, await details_of(r.book, outcome)


async def taken_back(r: Recorder, id: str) -> None:
    asked = RollbackRequested(reason="a person asked")
    gone = ChangeRolledBack(deployment="d9", commit="9" * 40, tree=TREE, method="reverted")
    await r.record(IMPROVEMENT, id, asked, gone)


async def test_the_outcome_holds_what_the_log_says_in_the_order_that_was_promised(recorder: Recorder) -> None:
    await example.whole(recorder)
    outcome, _ = await told(recorder)
    assert list(outcome.model_dump())[:14] == IN_ORDER.split()
    assert list(outcome.model_dump()["improvements"][0]) == (
        ["id", "title", "source", "rule", "status", "commit", "reason", "files"]
    )
    assert (outcome.target, outcome.base, outcome.head) == ("/srv/shop it", BASE, TIP)
    assert (outcome.findings_before, outcome.findings_after) == (17, 7)
    assert (outcome.tests_before.passed, outcome.tests_after.passed) == (10, 12)
    assert (outcome.tests_before.failed, outcome.tests_after.failed) == (1, 1)
    assert outcome.suite_runs == 3 + 3
    assert [one.id for one in outcome.waiting] == [HELD]
    assert [(one.improvement, one.parts) for one in outcome.splits] == [(PART, 3)]


async def test_every_fact_of_the_cycle_is_counted_once_and_a_later_wish_is_not(recorder: Recorder) -> None:
    await example.whole(recorder)
    head = await recorder.book.store.head()
    first = (await told(recorder))[0]
    recorder.ask_again()
    await recorder.record(IMPROVEMENT, GOOD, RollbackRequested(reason="later"))
    later = (await told(recorder))[0]
    assert first.events == head
    assert (later.events, later.seconds, later.suite_runs) == (head, first.seconds, first.suite_runs)


async def test_only_what_came_onto_the_branch_has_a_commit(recorder: Recorder) -> None:
    await example.whole(recorder)
    outcome, _ = await told(recorder)
    assert {one.id: (one.status, one.commit) for one in outcome.improvements} == {
        GOOD: ("deployment_complete", "0" * 40),
        PART: ("partly_landed", "1" * 40),
        BAD: ("abandoned", None),
        HELD: ("testing_complete", None),
    }


async def test_without_a_landing_everything_is_as_before(recorder: Recorder) -> None:
    await example.scanned(recorder, dry=True)
    await example.baseline(recorder)
    outcome, _ = await told(recorder)
    assert (outcome.head, outcome.findings_after) == (BASE, outcome.findings_before)
    assert outcome.tests_after == outcome.tests_before


async def test_a_change_taken_back_after_it_was_measured_counts_as_before(recorder: Recorder) -> None:
    await example.whole(recorder)
    recorder.ask_again()
    await taken_back(recorder, GOOD)
    one_gone, _ = await told(recorder)
    await taken_back(recorder, PART)
    all_gone, _ = await told(recorder)
    assert (one_gone.findings_after, one_gone.tests_after.passed) == (7 + 7, 12)
    assert (all_gone.findings_after, all_gone.tests_after.passed) == (17, 10)


async def test_with_nothing_left_on_the_branch_no_other_rule_counts_as_improved(recorder: Recorder) -> None:
    await example.proven(recorder)
    await example.landed(recorder, "d1", GOOD)
    await example.measured(recorder, GOOD, left={"RET505": 4})
    await taken_back(recorder, GOOD)
    assert (await told(recorder))[0].findings_after == 17


async def test_a_path_inside_the_data_folder_is_told_as_a_whole_path(recorder: Recorder) -> None:
    await example.whole(recorder, path="sources/shop-1.0")
    assert (await told(recorder))[0].target == "/home/aps/sources/shop-1.0"


async def test_an_unknown_scan_is_named(recorder: Recorder) -> None:
    with pytest.raises(UnknownScan, match=SCAN):
        await told(recorder)


async def test_a_scan_that_failed_says_why(recorder: Recorder) -> None:
    asked = ScanRequested(
        scan=SCAN,
        base=BASE,
        branch="",
        rules=(),
        engine="deterministic",
        limit=0,
        dry_run=False,
        look_only=False,
    )
    await recorder.record(TARGET, T, Registered(path="/x", title="shop", origin="/x"), asked)
    claim = await recorder.claim(TARGET, T, "scan")
    await recorder.record(TARGET, T, ScanFailed(scan=SCAN, claim=claim, reason="no Python in it"))
    outcome, details = await told(recorder)
    assert outcome.failure == "no Python in it"
    assert "could not be searched" in markdown(outcome, details, APS)


async def test_notes_tell_what_a_person_should_know(recorder: Recorder) -> None:
    await example.whole(recorder)
    outcome, details = await told(recorder)
    page = markdown(outcome, details, APS)
    for part in (
        "uncommitted changes",
        "coverage was not measured",
        "1 flaky, excused whatever they show: t::shaky",
        "UP031 was not proposed again",
        "written for Python 3.10 and newer",
    ):
        assert part in page


async def test_a_change_that_had_to_stay_says_why(recorder: Recorder) -> None:
    await example.whole(recorder)
    asked = RollbackRequested(reason="a person asked")
    await recorder.record(IMPROVEMENT, GOOD, asked, RollbackRefused(reason="later commits overlap"))
    outcome, details = await told(recorder)
    assert "kept: later commits overlap" in outcome.improvements[0].reason
    assert "kept: later commits overlap" in markdown(outcome, details, APS)


async def test_the_report_tells_how_to_see_approve_and_undo(recorder: Recorder) -> None:
    await example.whole(recorder)
    page = markdown(*await told(recorder), APS)
    assert "git -C '/srv/shop it' diff bbbbbbbbbbbb..aps/improved" in page
    assert f"{APS} improvements approve {HELD}" in page
    assert f"{APS} improvements rollback {PART}" in page
    assert f"{APS} improvements rollback --all --target {T}" in page


async def test_the_report_offers_no_approval_of_what_is_not_proven(recorder: Recorder) -> None:
    await example.whole(recorder)
    outcome, details = await told(recorder)
    planned = tuple(
        one.model_copy(update={"status": "requirements_complete"} if one.id == HELD else {})
        for one in outcome.improvements
    )
    waiting = tuple(one.model_copy(update={"needs": "a higher limit"}) for one in outcome.waiting)
    page = markdown(outcome.model_copy(update={"improvements": planned, "waiting": waiting}), details, APS)
    assert f"{APS} improvements show {HELD}" in page
    assert f"{APS} improvements approve {HELD}" not in page


async def test_every_command_of_the_report_reaches_the_data_folder_it_came_from(recorder: Recorder) -> None:
    await example.whole(recorder)
    outcome, details = await told(recorder)
    seen = (Seen(html(outcome, details, APS)).text, markdown(outcome, details, APS).replace("\\", ""))
    for page in seen:
        assert f"a person: {APS} improvements approve {HELD}" in page
        assert len(re.findall(r"\baps improvements", page)) == page.count(f"{APS} improvements")


async def test_tests_that_failed_before_any_change_are_named(recorder: Recorder) -> None:
    await example.whole(recorder)
    outcome, details = await told(recorder)
    assert outcome.failing == ("bad",)
    assert "1 test failed before any change: bad" in outcome.notes
    assert "1 test failed before any change: bad" in markdown(outcome, details, APS)


async def test_of_many_failing_tests_the_first_are_named(recorder: Recorder) -> None:
    tests = {f"t::{n}": Ran.FAILED for n in range(9)}
    many = SuiteReport(end=SuiteEnd.FINISHED, exit_code=1, tests=tests, duration_ms=1)
    await example.scanned(recorder)
    await example.baseline(recorder, failed=9, report=await recorder.keep(many.model_dump_json()))
    notes = (await told(recorder))[0].notes
    assert "9 tests failed before any change: t::0, t::1, t::2, t::3, t::4 and 4 more" in notes


async def test_the_report_tells_what_a_refused_change_would_have_broken(recorder: Recorder) -> None:
    await example.whole(recorder)
    page = markdown(*await told(recorder), APS)
    harm = page[page.index("## What was left out or refused") :]
    assert f"`{BAD}`: refused" in harm
    assert "`tests/test_shop.py::test_total`" in harm
    assert "E       TypeError: <b>boom</b>" in harm
    assert "Left out: `shop/odd.py`" in harm
    assert "Left out: all of it" in harm


async def test_the_report_tells_why_what_landed_is_safe(recorder: Recorder) -> None:
    await example.whole(recorder)
    page = markdown(*await told(recorder), APS)
    assert page.startswith("# 2 of 4 improvements landed in shop\n")
    assert "- Risk: low. Every touched line is run." in page
    assert "  - suite no worse: 12 tests passed, 10 before" in page
    assert "- Tests passed: 10 → 12" in page


class Seen(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_page_stands_alone_and_its_tags_close(recorder: Recorder) -> None:
    await example.whole(recorder)
    page = html(*await told(recorder), APS)
    seen = Seen(page)
    assert not seen.open
    assert not seen.tags & {"script", "link", "img", "iframe", "a", "b"}
    assert "prefers-color-scheme: dark" in page
    assert "E       TypeError: <b>boom</b>" in seen.text
    assert f"{APS} improvements approve {HELD}" in seen.text
    assert "git -C '/srv/shop it' diff" in seen.text


async def test_a_hostile_title_and_path_stay_text_everywhere(recorder: Recorder) -> None:
    await example.whole(recorder, HOSTILE, "/srv/<script>$(rm x)'\x1b\u202e`id`")
    outcome, details = await told(recorder)
    page, text, rows = html(outcome, details, APS), markdown(outcome, details, APS), "\n".join(lines(outcome))
    assert "script" not in Seen(page).tags
    assert r"Use \<script\>alert(1)\</script\> \[link\](http\://x.invalid)" in text
    for form in (page, text, rows):
        assert "\x1b" not in form
        assert "\u202e" not in form
    assert r"git -C $'/srv/<script>$(rm x)\'\x1b\u202e`id`' diff" in text


def drawn(outcome: Outcome, *, terminal: bool, width: int = 80) -> str:
    out = io.StringIO()
    show(outcome, Console(file=out, force_terminal=terminal, width=width, color_system=None))
    return out.getvalue()


async def test_the_table_fits_the_terminal_and_shows_identifiers_whole(recorder: Recorder) -> None:
    await example.whole(
        recorder, "A title that is far too long for a terminal of eighty columns, however told"
    )
    outcome, _ = await told(recorder)
    for width in (80, 140):
        rows = drawn(outcome, terminal=True, width=width).splitlines()
        assert all(len(row) <= width for row in rows)
        assert all(any(id in row for row in rows) for id in (GOOD, PART, BAD, HELD))
    assert "partly landed" in drawn(outcome, terminal=True)
    assert "7→0" in drawn(outcome, terminal=True)


async def test_without_a_terminal_each_improvement_is_one_plain_line(recorder: Recorder) -> None:
    await example.whole(recorder, HOSTILE)
    outcome, _ = await told(recorder)
    rows = drawn(outcome, terminal=False).splitlines()
    assert rows == list(lines(outcome))
    assert len(rows) == 5
    assert rows[0].split("\t")[0] == GOOD
    assert rows[-1].startswith("2 of 4 improvements landed · findings 17→7 · tests passed 10→12")


async def test_what_the_design_left_out_is_told_with_its_reason(recorder: Recorder) -> None:
    await example.whole(recorder)
    state = await recorder.book.state(IMPROVEMENT, PART)
    assert state.design is not None and state.verdict is not None
    doubtful = tuple(part.model_copy(update={"reason": "no test runs it"}) for part in state.verdict.left_out)
    designed = replace(
        state, design=state.design.model_copy(update={"leave_out": doubtful}), refusals=(), reason=""
    )
    assert reason_of(designed) == f"without {doubtful[0].path}: no test runs it"
