"""Finds repositories inside a work tree, which git would look into, and run what they configure.

A `.git` that untrusted code left below the root makes its folder a submodule in git's eyes: `git add` then
asks `git status` in there, with that repository's own filters.
"""

import os
from pathlib import Path

_NAMED = 5


class Uncommittable(Exception):  # noqa: N818 -- says what the work tree is
    """What stands in a work tree cannot be made a tree of ours; the message names what is in the way."""


def refuse_nested(root: Path) -> None:
    """Raise `Uncommittable` where a folder below `root` is, or claims to be, a repository of its own."""
    found = nested(root)
    if found:
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise Uncommittable(f"a repository of its own is left at {', '.join(found[:_NAMED])}{more}")


def nested(root: Path) -> tuple[str, ...]:
    """Return what is named `.git`, in whatever case, below the folders of `root`; sorted POSIX paths.

    At the root itself only our own `.git` file may stand. No link is followed.
    """
    found: list[str] = []
    for folder, names, files in os.walk(root, followlinks=False):
        here = Path(folder)
        found += [
            os.fsencode((here / name).relative_to(root)).decode("utf-8", "replace")
            for name in (*names, *files)
            if name.casefold() == ".git" and not (here == root and name == ".git")
        ]
        names[:] = [name for name in names if name.casefold() != ".git"]
    return tuple(sorted(found))
