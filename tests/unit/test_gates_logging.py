"""What a program says of itself stays, in whichever words and wherever it moved."""

import pytest

from services.gates.logging_kept import logging_kept
from tests.tricks import SOURCE, edited


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('        log.warning("no number: %r", n)\n', "", "pkg/m.py::double: log warning is gone"),
        ("log.warning", "log.debug", "pkg/m.py::double: log warning is gone"),
        ('raise TypeError("a number is needed")', "return 0", "pkg/m.py::double: raise TypeError is gone"),
        ("    assert n != 7\n", "", "pkg/m.py::double: assert is gone"),
        ('    log.info("halving")', "    pass", "pkg/m.py::half: log info is gone"),
        ("        log.warning", "        if False:\n            log.warning", "log warning is gone"),
        ("        log.warning", "        return 0\n        log.warning", "log warning is gone"),
        ("log = ", "logging.disable(logging.CRITICAL)\nlog = ", "pkg/m.py: new logging.disable"),
        ("\n\ndef double", "\nlog.disabled = True\n\n\ndef double", "pkg/m.py: new disabled logger"),
        (
            "\n\ndef double",
            "\nlog.setLevel(logging.CRITICAL + 1)\n\n\ndef double",
            "at which nothing is logged",
        ),
    ],
)
def test_removed_logging_is_refused_by_name(old: str, new: str, said: str) -> None:
    evidence = edited(old, new, SOURCE, "pkg/m.py")
    assert evidence.startswith("logging_kept: ")
    assert said in evidence


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('log.warning("no number: %r", n)', 'log.warning(f"no number: {n!r}")'),
        ("log.warning", "log.error"),
        ('raise TypeError("a number is needed")', 'raise TypeError("a number is needed") from None'),
        ('raise TypeError("a number is needed")', 'raise ValueError("a number is needed")'),
        ("    assert n != 7\n", "    if n == 7:\n        raise ValueError(n)\n"),
        ('def half(n):\n    log.info("halving")\n    return n / 2\n', ""),
        (
            '        log.warning("no number: %r", n)\n        raise TypeError("a number is needed")\n',
            "        refuse(n)\n",
        ),
    ],
)
def test_what_is_said_may_be_said_otherwise_or_elsewhere(old: str, new: str) -> None:
    moved = (
        "\n\ndef refuse(n):\n    log.warning('no %r', n)\n    raise TypeError('x')\n"
        if "refuse" in new
        else ""
    )
    assert old in SOURCE
    assert logging_kept({"pkg/m.py": SOURCE}, {"pkg/m.py": SOURCE.replace(old, new) + moved}).passed


def test_what_is_said_may_move_to_another_file_of_the_change_but_only_once() -> None:
    less = SOURCE.replace('    log.info("halving")\n', "")
    elsewhere = 'def told(log):\n    log.info("halving")\n'
    assert logging_kept({"a.py": SOURCE}, {"a.py": less, "b.py": elsewhere}).passed
    both = {"a.py": SOURCE, "c.py": SOURCE}
    assert not logging_kept(both, {"a.py": less, "c.py": less, "b.py": elsewhere}).passed


def test_two_branches_that_say_the_same_may_become_one() -> None:
    two = "def f(a, b):\n    if a:\n        raise E(1)\n    elif b:\n        raise E(1)\n"
    one = "def f(a, b):\n    if a or b:\n        raise E(1)\n"
    assert logging_kept({"a.py": two}, {"a.py": one}).passed


def test_a_loss_that_the_plan_declares_is_none() -> None:
    less = SOURCE.replace("    assert n != 7\n", "")
    assert logging_kept({"a.py": SOURCE}, {"a.py": less}, declared={"a.py::double"}).passed
    assert not logging_kept({"a.py": SOURCE}, {"a.py": less}, declared={"a.py::half"}).passed
