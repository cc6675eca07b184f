"""What a person may name as a target: a folder of a git repository, or `sdist:NAME==VERSION`.

Light on purpose: a wrong name is refused before anything heavy is loaded or started.
"""

import re
from pathlib import Path

from services.workspace.git.version import require_git
from services.workspace.target import TargetProblem, inspect_target

SDIST = re.compile(
    r"sdist:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+)(?:#sha256=(?P<sha>[0-9a-f]{64}))?"
)


async def refuse_unusable(target: str) -> None:
    """Raise `TargetProblem` where what was named cannot be a target; nothing is fetched or written.

    Raises `UnusableGit` where git is missing or too old.
    """
    await require_git()
    if target.startswith("sdist:"):
        named_sdist(target)
    elif Path(target).is_file():  # noqa: ASYNC240 -- before anything else runs
        raise TargetProblem(f"{target} is a file: name the folder of a git repository")
    else:
        await inspect_target(Path(target))


def named_sdist(target: str) -> re.Match[str]:
    """Return the name, version and hash in the name of a source distribution. Raises `TargetProblem`."""
    named = SDIST.fullmatch(target)
    if named is None:
        raise TargetProblem(f"{target} names no source distribution: write sdist:NAME==VERSION")
    return named
