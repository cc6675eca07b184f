"""Finds symbolic links that lead out of a tree: what they name is no part of the target."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from services.workspace.files import tree_files

_NAMED = 5


def links_outside(root: Path) -> tuple[str, ...]:
    """Return the links under `root` that lead out of it, as sorted POSIX paths."""
    inner = root.resolve()
    return tuple(path for path, goal in _links(root) if not goal.is_relative_to(inner))


def links_astray(root: Path) -> tuple[str, ...]:
    """Return the links under `root` that lead out of it or to a folder they lie in, as sorted POSIX paths."""
    inner = root.resolve()
    return tuple(
        path
        for path, goal in _links(root)
        if not goal.is_relative_to(inner) or (root / path).parent.resolve().is_relative_to(goal)
    )


def link_remarks(root: Path) -> tuple[str, ...]:
    """Tell a person which links of a target are not followed."""
    links = links_astray(root)
    if not links:
        return ()
    more = f" and {len(links) - _NAMED} more" if len(links) > _NAMED else ""
    named = os.fsencode(", ".join(links[:_NAMED])).decode("utf-8", "replace")  # an event holds text only
    return (f"links that lead out of the target or in a circle are not followed: {named}{more}",)


def _links(root: Path) -> Iterator[tuple[str, Path]]:
    """Each link and where it leads; one that names itself leads nowhere."""
    for path in tree_files(root):
        if (root / path).is_symlink():
            with suppress(OSError, RuntimeError):
                yield path, (root / path).resolve()
