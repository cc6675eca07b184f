"""Asks which git is installed, and refuses one that lacks what the workspace uses."""

import asyncio
import re
import shutil

OLDEST = (2, 38)  # merge-tree writes a tree from this version on
CURE = "install git {}.{} or newer".format(*OLDEST)


class UnusableGit(Exception):  # noqa: N818 -- names what is wrong
    """Git is missing or too old; the message says what to do."""


async def installed_git() -> str | None:
    """Return the version of the installed git as it says it, None when there is none."""
    program = shutil.which("git")
    if program is None:
        return None
    asked = await asyncio.create_subprocess_exec(program, "--version", stdout=asyncio.subprocess.PIPE)
    said = (await asked.communicate())[0].decode(errors="replace").split()
    return said[2] if len(said) > 2 else "?"


def is_usable(version: str) -> bool:
    """Say whether a version is new enough; one that says no number is not."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST


async def require_git() -> None:
    """Raise `UnusableGit` where what is installed will not do."""
    version = await installed_git()
    if version is None:
        raise UnusableGit(f"git is not installed: {CURE}")
    if not is_usable(version):
        raise UnusableGit(f"git {version} is installed and too old: {CURE}")
