"""The words of APS documents."""

import pytest

from events.improvement import UNFINISHED
from schemas.aps import Document
from schemas.aps_vocabulary import OUTCOME_WORDS, PROCESS_WORDS, STATUS_ALIASES, WORK_WORDS
from schemas.improvement import Status


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("waiting_for_architect", Status.REQUIREMENTS_COMPLETE),
        ("Waiting for Developer Agent", Status.ARCHITECTURE_COMPLETE),
        ("ready-for-testing", Status.IMPLEMENTATION_COMPLETE),
        ("waiting_for_devops", Status.TESTING_COMPLETE),
        ("TESTING_COMPLETE", Status.TESTING_COMPLETE),
    ],
)
def test_an_alias_of_a_status_is_mapped_by_the_table(written: str, meant: Status) -> None:
    process = Document.model_validate({"process": {"name": "p", "status": written}}).process
    assert process is not None
    assert process.status == meant
    assert process.known_status is meant


def test_a_status_outside_the_table_is_never_guessed() -> None:
    process = Document.model_validate({"process": {"name": "p", "status": "Waiting for Godot"}}).process
    assert process is not None
    assert process.status == "Waiting for Godot"
    assert process.known_status is None


def test_an_alias_never_means_an_end() -> None:
    assert set(STATUS_ALIASES.values()) <= {*UNFINISHED, Status.APPROVED}
    assert not STATUS_ALIASES.keys() & set(PROCESS_WORDS.words)


def test_words_of_work_and_outcomes_are_read_in_any_case() -> None:
    assert WORK_WORDS.read("In Progress") == "in_progress"
    assert OUTCOME_WORDS.read("PASSED") == "passed"
    assert OUTCOME_WORDS.read("flaky") == "flaky"
