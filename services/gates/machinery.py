"""Which files build, package, install or check a project rather than being part of it.

Names are compared as the tools that read them do, case included, and in any folder.
"""

from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from services.gates.evaluator_files import is_ci, is_evaluator_settings

NAMES = {
    "packages it": (
        "pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in", "hatch.toml", "hatch_build.py", "meta.yaml",
    ),
    "says what is installed": (
        "*requirements*.txt", "*requirements*.in", "*constraints*.txt", "*constraints*.in", "*reqs*.txt",
        "Pipfile", "environment.y*ml", "environment[-_.]*.y*ml", "package.json",
    ),
    "pins what is installed": (
        "poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock", "pylock*.toml", "conda-lock.yml",
        "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml",
    ),
    "says from where it is installed": ("pip.conf", "uv.toml", "pdm.toml", "poetry.toml", ".npmrc"),
    "builds it": (
        "Makefile", "makefile", "GNUmakefile", "*.mk", "CMakeLists.txt", "*.cmake", "meson.build",
        "meson.options", "meson_options.txt", "BUILD", "BUILD.bazel", "WORKSPACE", "WORKSPACE.bazel",
        "MODULE.bazel", "*.bzl",
    ),
    "builds its images": (
        "Dockerfile*", "*.Dockerfile", "*.dockerfile", "Containerfile*", "*.containerfile",
        "compose.y*ml", "compose.*.y*ml", "docker-compose*.y*ml",
    ),
    "runs its chores": (
        "conftest.py", "noxfile.py", "tasks.py", "tox.ini", "[Tt]askfile.y*ml", "[Tt]askfile.*.y*ml",
        "[Jj]ustfile", "JUSTFILE", ".[Jj]ustfile", "*.just",
    ),
    "is run by every Python": ("*.pth", "sitecustomize.py", "usercustomize.py"),
    "tells git how to check it out": (".gitmodules", ".gitattributes"),
}  # fmt: skip
_PATTERNS = tuple(pattern for patterns in NAMES.values() for pattern in patterns)


def is_machinery(path: str) -> bool:
    """Whether a file builds, packages, installs or checks the target rather than being part of it."""
    pure = PurePosixPath(path)
    listed = "requirements" in pure.parts[:-1] and pure.suffix in (".txt", ".in")
    named = any(fnmatchcase(pure.name, pattern) for pattern in _PATTERNS)
    return named or listed or is_ci(path) or is_evaluator_settings(path)
