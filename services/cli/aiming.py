"""Refuses what cannot be a target before anything heavy is loaded or any server is started."""

import asyncio
from collections.abc import Iterable

from services.cli.session import Exit, fail


def refuse_unusable(targets: Iterable[str]) -> None:
    """End the command with 2 when one of these cannot be a target."""
    from services.cycle import naming
    from services.workspace.target import TargetProblem

    for target in targets:
        try:
            asyncio.run(naming.refuse_unusable(target))
        except TargetProblem as problem:
            fail(Exit.USAGE, str(problem))
        except OSError as problem:
            fail(Exit.USAGE, f"{target} cannot be read: {problem.strerror}")
