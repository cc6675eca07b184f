"""Refuses what cannot be a target before anything heavy is loaded or any server is started."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from services.cli.session import Exit, fail


def refuse_unusable(targets: Iterable[str]) -> None:
    """End the command with 2 when one of these cannot be a target, with 6 when no git here will do.

    A fork has copies, looked at later.
    """
    from services.cycle import naming
    from services.workspace.fork import MARKER
    from services.workspace.git.version import UnusableGit
    from services.workspace.target import TargetProblem

    home = os.environ.get("APS_HOME")
    if home and (Path(home).expanduser() / MARKER).exists():
        return
    for target in targets:
        try:
            asyncio.run(naming.refuse_unusable(target))
        except UnusableGit as problem:
            fail(Exit.UNAVAILABLE, str(problem))
        except TargetProblem as problem:
            fail(Exit.USAGE, str(problem))
        except OSError as problem:
            fail(Exit.USAGE, f"{target} cannot be read: {problem.strerror}")
