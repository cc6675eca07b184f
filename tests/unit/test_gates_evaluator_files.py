"""Which files judge a change: they stand as they were when the original tests are run."""

import pytest

from services.gates.evaluator_files import is_evaluator


@pytest.mark.parametrize(
    "path",
    [
        "tests/test_a.py", "pkg/tests/data/expected.json", "test/golden.txt", "tests/cassettes/a.yaml",
        "pkg/__snapshots__/a.ambr", "testing/input.csv", "conftest.py", "tox.ini", "setup.cfg",
        "pyproject.toml", ".github/workflows/ci.yml", ".coveragerc", ".pylintrc",
    ],
)  # fmt: skip
def test_tests_their_data_and_their_settings_judge(path: str) -> None:
    assert is_evaluator(path)


@pytest.mark.parametrize(
    "path", ["pkg/a.py", "pkg/testing/data.json", "README.md", "docs/tests.md", "pkg/data/expected.json"]
)
def test_what_is_source_does_not(path: str) -> None:
    assert not is_evaluator(path)
