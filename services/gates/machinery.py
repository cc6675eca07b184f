"""Which files build, package or check a project rather than being part of it."""

from pathlib import PurePosixPath

from services.gates.evaluator_files import is_ci, is_evaluator_settings

BUILD_FILES = frozenset({"setup.py", "conftest.py", "noxfile.py", "tasks.py", "pyproject.toml", "setup.cfg"})


def is_machinery(path: str) -> bool:
    """Whether a file builds, packages or checks the target rather than being part of it."""
    return PurePosixPath(path).name in BUILD_FILES or is_ci(path) or is_evaluator_settings(path)
