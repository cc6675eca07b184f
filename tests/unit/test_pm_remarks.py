"""What PM remarks about the Python a project declares."""

import pytest

from services.pm.remarks import python_remarks
from services.workspace.environments.declared_python import DeclaredPython


@pytest.mark.parametrize(
    ("declared", "written_for", "withheld", "said"),
    [
        (DeclaredPython(">=3.9", 9), "3.9", {"B905": 5}, ["so fixes are written for 3.9; what only a newer"]),
        (DeclaredPython(">=3.9", 9), "3.9", {"UP017": 1, "B905": 5}, ["stays (B905: 5, UP017: 1)"]),
        (DeclaredPython(">=3.9", 9), "3.9", {}, []),
        (DeclaredPython(">=3.12", 12), "3.10", {}, []),
        (DeclaredPython(">=3.5", 5), "3.7", {}, ["fixes are written for 3.7 and later"]),
        (DeclaredPython(">=2.7", 9, two=True), "3.9", {}, ["declares Python 2 as well"]),
        (DeclaredPython(), "3.10", {}, []),
    ],
)
def test_what_an_older_declared_python_means_is_remarked(
    declared: DeclaredPython, written_for: str, withheld: dict[str, int], said: list[str]
) -> None:
    remarks = python_remarks(declared, written_for, withheld)
    assert len(remarks) == len(said)
    assert all(part in remark for part, remark in zip(said, remarks, strict=True))
