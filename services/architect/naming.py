"""How a plan names files: by paths from the tree's root, and what is not there as new."""

import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated

from pydantic import AfterValidator, Field

_NOT_IN_THE_TREE = frozenset({"..", "~", ".git"})


def in_tree(path: str) -> str:
    """Return a path as git names it. Raises `ValueError` for one that leaves the tree, or is none."""
    seen = PureWindowsPath(path)  # splits at either slash, and knows drives
    if seen.anchor or not seen.parts or not path.isprintable():
        raise ValueError("files are named by paths from the current folder")
    if _NOT_IN_THE_TREE & {part.lower() for part in seen.parts}:
        raise ValueError("a path leaves the source")
    return str(PurePosixPath(path))


def _place(place: str) -> str:
    path, mark, function = place.partition("::")
    return f"{in_tree(path)}{mark}{function}"


InTree = Annotated[str, AfterValidator(in_tree)]
Place = Annotated[
    str, Field(pattern=r"^[^:\s][^:]{0,300}\.pyi?(::[\w.]{1,200})?$"), AfterValidator(_place)
]  # fmt: skip


def parted(tree: Path, paths: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part what is there from what comes new, each path once."""
    once = tuple(dict.fromkeys(paths))
    there = frozenset(path for path in once if os.path.lexists(tree / path))
    return tuple(p for p in once if p in there), tuple(p for p in once if p not in there)
