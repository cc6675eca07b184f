"""Which files judge a change: tests, their settings, what runs them, and what earlier runs left behind."""

import re
from pathlib import PurePosixPath

_TEST_FOLDERS = frozenset({"test", "tests"})
_TEST_FOLDER_AT_THE_ROOT = "testing"  # further down it is a package that others import to test with
_DATA_FOLDERS = frozenset({"__snapshots__", "snapshots", "cassettes", "golden"})
_CI_FOLDERS = (
    ".github", ".gitea", ".forgejo", ".circleci", ".gitlab", ".buildkite", ".woodpecker", ".azure-pipelines",
    ".semaphore", ".teamcity", ".tekton", ".ci",
)  # fmt: skip
_CI_FILES = frozenset({
    ".gitlab-ci.yml", ".gitlab-ci.yaml", ".travis.yml", ".appveyor.yml", "appveyor.yml", ".drone.yml",
    "azure-pipelines.yml", "bitbucket-pipelines.yml", "Jenkinsfile", ".cirrus.yml", "codecov.yml",
    ".codecov.yml", ".pre-commit-config.yaml", ".pre-commit-config.yml", ".drone.yaml", ".travis.yaml",
    ".woodpecker.yml", "buildspec.yml", "cloudbuild.yaml", "sonar-project.properties", ".sourcery.yaml",
})  # fmt: skip
_WHOLE_FILES = frozenset({
    "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "tox.toml", ".coveragerc",
    ".coveragerc.toml", "noxfile.py", "mypy.ini", ".mypy.ini", ".flake8", "ruff.toml", ".ruff.toml",
    ".pylintrc", "pylintrc", ".pylintrc.toml", ".bandit", "bandit.yaml", "bandit.yml", "pyrightconfig.json",
    "ty.toml", "pyrefly.toml", ".pydocstyle", ".prospector.yaml", ".semgrepignore", ".trivyignore",
    ".gitleaks.toml", ".gitleaksignore", ".secrets.baseline", ".importlinter", "testmon.ini",
})  # fmt: skip
_SECTIONED_FILES = frozenset({"pyproject.toml", "setup.cfg"})


# Imported by every Python before anything else, whoever asked for it.
_STARTED_WITH_PYTHON = frozenset({"sitecustomize", "usercustomize"})
_RUNNERS = frozenset(
    {"pytest", "_pytest", "pluggy", "unittest", "coverage", "pytest_cov", "xdist", "aps_report"}
)
_IMPORT_ROOTS = frozenset({"src", "lib", "python"})
_LEFT_BY_RUNS = re.compile(
    r"(?:^|/)(?:\.(?:pytest|mypy|ruff|import_linter)_cache|\.(?:tox|nox|hypothesis|testmondata|aps)|__pycache__|htmlcov"
    r"|test-results|test-reports)(?:/|$)"
    r"|(?:^|/)(?:\.coverage(?:\.(?!toml$)[^/]*)?|coverage\.(?:xml|json|lcov|db)|lcov\.info|\.testmondata[^/]*"
    r"|(?:junit|nosetests|test-?results?|test-?report|pytest-?report)[^/]*\.(?:xml|json|html)|report\.jsonl"
    r"|\.lastfailed|lastfailed)$|\.py[co]$"
)
_SCRIPTS = re.compile(
    r"(?:^|/)(?:GNUmakefile|[Mm]akefile|[Jj]ustfile|Taskfile\.ya?ml|package\.json|Containerfile|Dockerfile)$"
    r"|\.(?:sh|bash|bat|cmd|ps1|mk)$"
)
_RUNS_CHECKS = re.compile(
    r"\b(?:py\.?test|unittest|tox|nox|coverage|mypy|pyright|ruff|flake8|pylint|bandit|hypothesis|doctest|nosetests"
    r"|make (?:test|check|lint)|setup\.py test)\b|set -[a-z]*e|pipefail"
)


def is_test_code(path: str) -> bool:
    """Whether a Python file holds tests or what they stand on, `conftest.py` included."""
    pure = PurePosixPath(path)
    if pure.suffix != ".py":
        return False
    named = pure.stem.startswith("test_") or pure.stem.endswith("_test") or pure.stem in ("tests", "conftest")
    folders = pure.parts[:-1]
    return named or bool(_TEST_FOLDERS & set(folders)) or folders[:1] == (_TEST_FOLDER_AT_THE_ROOT,)


def is_test_data(path: str) -> bool:
    """Whether a file that is no Python lies among tests: what they read, or compare with."""
    pure = PurePosixPath(path)
    folders = pure.parts[:-1]
    among = bool((_TEST_FOLDERS | _DATA_FOLDERS) & set(folders)) or folders[:1] == (_TEST_FOLDER_AT_THE_ROOT,)
    return among and pure.suffix not in (".py", ".pyi")


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


def is_runner(path: str) -> bool:
    """Whether a file would be loaded in place of the test runner, or into every Python before it."""
    pure = PurePosixPath(path)
    if pure.suffix == ".pth" or pure.name == "entry_points.txt":
        return True
    if pure.suffix not in (".py", ".pyi", ".so", ".pyd", ""):
        return False
    parts = (*pure.parts[:-1], pure.name.partition(".")[0])
    if _STARTED_WITH_PYTHON & set(parts):
        return True
    beneath = parts[1:] if len(parts) > 1 and parts[0] in _IMPORT_ROOTS | _TEST_FOLDERS else parts
    return beneath[0] in _RUNNERS and (len(beneath) > 1 or pure.suffix != "")


def is_left_by_a_run(path: str) -> bool:
    """Whether a file is what a run of tests or checks leaves: a cache, a report, compiled code."""
    return bool(_LEFT_BY_RUNS.search(path))


def lines_that_run_checks(path: str, text: str) -> list[str]:
    """Return the lines of a script or Makefile that run tests or checks; of other files none."""
    if not _SCRIPTS.search(path):
        return []
    return [line.strip() for line in text.splitlines() if _RUNS_CHECKS.search(line)]


def is_evaluator(path: str) -> bool:
    """Whether a file takes part in judging a change."""
    tests = is_test_code(path) or is_test_data(path)
    return tests or is_ci(path) or is_evaluator_settings(path) or has_evaluator_sections(path)
