"""Finds symbolic links that lead out of a tree: what they name is no part of the target."""

import os
from pathlib import Path

from services.workspace.files import tree_files

_NAMED = 5


def links_outside(root: Path) -> tuple[str, ...]:
    """Return the links under `root` that lead out of it or to a folder they lie in, as sorted POSIX paths."""
    inner = root.resolve()
    return tuple(path for path in tree_files(root) if _leads_outside(root / path, inner))


def link_remarks(root: Path) -> tuple[str, ...]:
    """Tell a person which links of a target are not followed."""
    links = links_outside(root)
    if not links:
        return ()
    more = f" and {len(links) - _NAMED} more" if len(links) > _NAMED else ""
    named = os.fsencode(", ".join(links[:_NAMED])).decode("utf-8", "replace")  # an event holds text only
    return (f"links that lead out of the target or in a circle are not followed: {named}{more}",)


def _leads_outside(path: Path, root: Path) -> bool:
    if not path.is_symlink():
        return False
    try:
        goal = path.resolve()
    except (OSError, RuntimeError):
        return False  # it names itself, so there is nothing to follow
    return path.parent.resolve().is_relative_to(goal) or not goal.is_relative_to(root)
