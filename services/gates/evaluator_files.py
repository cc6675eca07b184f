"""Which files judge a change: tests, their configuration, and what runs them."""

from pathlib import PurePosixPath

_TEST_FOLDERS = frozenset({"test", "tests"})
_TEST_FOLDER_AT_THE_ROOT = "testing"  # further down it is a package that others import to test with
_CI_FOLDERS = (".github", ".circleci", ".gitlab", ".buildkite", ".woodpecker", ".azure-pipelines")
_CI_FILES = frozenset({
    ".gitlab-ci.yml", ".gitlab-ci.yaml", ".travis.yml", ".appveyor.yml", "appveyor.yml", ".drone.yml",
    "azure-pipelines.yml", "bitbucket-pipelines.yml", "Jenkinsfile", ".cirrus.yml", "codecov.yml",
    ".codecov.yml", ".pre-commit-config.yaml",
})  # fmt: skip
_WHOLE_FILES = frozenset({
    "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "tox.toml", ".coveragerc",
    "noxfile.py", "mypy.ini", ".mypy.ini", ".flake8", "ruff.toml", ".ruff.toml",
})  # fmt: skip
_SECTIONED_FILES = frozenset({"pyproject.toml", "setup.cfg"})


def is_test_code(path: str) -> bool:
    """Whether a Python file holds tests or what they stand on, `conftest.py` included."""
    pure = PurePosixPath(path)
    if pure.suffix != ".py":
        return False
    named = pure.stem.startswith("test_") or pure.stem.endswith("_test") or pure.stem in ("tests", "conftest")
    folders = pure.parts[:-1]
    return named or bool(_TEST_FOLDERS & set(folders)) or folders[:1] == (_TEST_FOLDER_AT_THE_ROOT,)


def is_ci(path: str) -> bool:
    """Whether a file tells a build server what to run."""
    pure = PurePosixPath(path)
    return pure.name in _CI_FILES or pure.parts[0] in _CI_FOLDERS


def is_evaluator_settings(path: str) -> bool:
    """Whether every line of a file configures tests or checks."""
    return PurePosixPath(path).name in _WHOLE_FILES


def has_evaluator_sections(path: str) -> bool:
    """Whether some sections of a file configure tests or checks."""
    return PurePosixPath(path).name in _SECTIONED_FILES


def is_evaluator(path: str) -> bool:
    """Whether a file takes part in judging a change."""
    return is_test_code(path) or is_ci(path) or is_evaluator_settings(path) or has_evaluator_sections(path)
