"""What a suite printed is kept and read without the secrets in it."""

import pytest

from schemas.suite import Outcome
from services.masking.mask import MARK
from services.workspace.suites.hiding import MARGIN, SHOWN, printed, without_secrets
from services.workspace.suites.report import Told

SECRET, OTHER = (
    "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "ghp_" + "26C7e42F292c6912E7710c838347Ae178B4b",
)


def told(tests: dict[str, Outcome], failures: dict[str, str]) -> Told:
    return Told(True, len(tests), tests, failures, frozenset(), 1)


def test_what_a_failure_says_is_kept_without_the_secret() -> None:
    shown = without_secrets(told({"t::a": Outcome.FAILED}, {"t::a": f"assert '{SECRET}' == ''"}))
    assert shown.failures == {"t::a": f"assert '{MARK}' == ''"}


def test_a_secret_is_found_before_the_text_is_cut() -> None:
    text = f"token {SECRET}\n" + "." * (SHOWN - 20)
    assert SECRET[-15:] in text[-SHOWN:]
    (shown,) = without_secrets(told({"t::a": Outcome.FAILED}, {"t::a": text})).failures.values()
    assert len(shown) <= SHOWN
    assert SECRET[-15:] not in shown


def test_tests_whose_names_hold_secrets_stay_apart_and_keep_their_texts() -> None:
    tests = {f"t::a[{OTHER}]": Outcome.PASSED, f"t::a[{SECRET}]": Outcome.FAILED, "t::b": Outcome.PASSED}
    shown = without_secrets(told(tests, {f"t::a[{SECRET}]": "no"}))
    assert shown.tests == {
        f"t::a[{MARK}]": Outcome.FAILED,
        f"t::a[{MARK}]#2": Outcome.PASSED,
        "t::b": Outcome.PASSED,
    }
    assert shown.failures == {f"t::a[{MARK}]": "no"}
    assert without_secrets(told(dict(reversed(tests.items())), {})).tests == shown.tests


@pytest.mark.parametrize("before", [0, 10, MARGIN, 2 * MARGIN])
def test_the_tail_of_what_was_printed_holds_no_secret_nor_half_of_one(before: int) -> None:
    lines = f"{'x' * before}\nkey {SECRET}\n"
    for after in range(0, 60, 7):
        shown = printed((lines + "y" * after).encode(), 50)
        assert len(shown) <= 50
        assert SECRET[-8:] not in shown
    whole = printed(lines.encode() + b"z" * (MARGIN + 20), 50)
    assert whole == "z" * 50
