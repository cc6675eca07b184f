"""What a run's leavings are taken to mean."""

import json

import pytest

from schemas.suite import Outcome, SuiteEnd
from services.sandbox.port import Ended
from services.workspace.suites.report import covered_lines, ending, told


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


START = {"kind": "start"}
COLLECTED = {"kind": "collected", "count": 1}
PASSED = {"kind": "test", "id": "t::a", "outcome": "passed"}
BROKEN = {"kind": "broken", "id": "t.py", "text": "no"}


def end(status):
    return {"kind": "end", "status": status}


@pytest.mark.parametrize(
    ("ended", "code", "records", "expected"),
    [
        (Ended.EXITED, 0, [START, PASSED, end(0)], SuiteEnd.FINISHED),
        (Ended.EXITED, 1, [START, PASSED, BROKEN, end(1)], SuiteEnd.FINISHED),
        (Ended.EXITED, 0, [START, PASSED], SuiteEnd.CRASHED),
        (Ended.EXITED, 0, [START, COLLECTED, PASSED, end(0)], SuiteEnd.FINISHED),
        (Ended.EXITED, 0, [START, COLLECTED, end(0)], SuiteEnd.CRASHED),
        (Ended.EXITED, 0, [START, COLLECTED], SuiteEnd.CRASHED),
        (Ended.EXITED, 0, [START], SuiteEnd.CRASHED),
        (Ended.EXITED, 0, [], SuiteEnd.CRASHED),
        (Ended.EXITED, 1, [START], SuiteEnd.CRASHED),
        (Ended.EXITED, 0, [START, end(0)], SuiteEnd.NOTHING_COLLECTED),
        (Ended.EXITED, 5, [START, end(5)], SuiteEnd.NOTHING_COLLECTED),
        (Ended.EXITED, 2, [START, BROKEN, end(2)], SuiteEnd.COLLECTION_FAILED),
        (Ended.EXITED, 4, [], SuiteEnd.COLLECTION_FAILED),
        (Ended.EXITED, -11, [START, PASSED, end(0)], SuiteEnd.CRASHED),
        (Ended.EXITED, -11, [], SuiteEnd.CRASHED),
        (Ended.EXITED, 2, [START, PASSED, end(2)], SuiteEnd.CRASHED),
        (Ended.EXITED, 3, [START, PASSED, end(3)], SuiteEnd.CRASHED),
        (Ended.TIMED_OUT, -9, [START, PASSED], SuiteEnd.TIMED_OUT),
        (Ended.OUT_OF_MEMORY, -9, [START], SuiteEnd.OUT_OF_MEMORY),
    ],
)
def test_a_run_ends_as_its_last_words_and_its_exit_code_say_together(ended, code, records, expected):
    assert ending(ended, code, told(lines(*records))) is expected


def test_the_worst_word_about_a_test_counts():
    said = told(
        lines(
            {"kind": "test", "id": "b", "outcome": "passed"},
            {"kind": "test", "id": "b", "outcome": "error", "text": "teardown"},
            {"kind": "test", "id": "a", "outcome": "failed", "text": "boom"},
            {"kind": "test", "id": "a", "outcome": "passed"},
        )
    )
    assert list(said.tests.items()) == [("a", Outcome.FAILED), ("b", Outcome.ERROR)]
    assert said.failures == {"a": "boom", "b": "teardown"}


def test_lines_that_no_report_writes_are_passed_over():
    assert told(b'{"kind": "te\n[1]\n\xff\n{"kind": "test", "id": "a", "outcome": "odd"}\n').tests == {}


def test_coverage_is_read_by_path_and_nonsense_is_no_coverage():
    content = json.dumps({"files": {"b.py": {"executed_lines": [1, 2], "missing_lines": [3]}}}).encode()
    assert covered_lines(content) == ({"b.py": (1, 2)}, {"b.py": (3,)})
    assert covered_lines(b"{") == ({}, {})
    assert covered_lines(b'{"files": {"a": 1}}') == ({}, {})
