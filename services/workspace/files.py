"""Touches files that untrusted code may have arranged: links are never followed, sizes are bounded."""

import os
import shutil
import stat
from pathlib import Path, PurePosixPath

MIB = 1024**2


class Unsafe(Exception):  # noqa: N818 -- says what the file is
    """A path leaves the folder it belongs to, or is not what it must be."""


def remove(path: Path) -> None:
    """Remove a file, link or folder, never following links; harmless when there is nothing."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        _open_up(path)
        shutil.rmtree(path)


def _open_up(root: Path) -> None:
    """Give a folder back the permissions that its removal needs, should a command have taken them."""
    if os.geteuid() == 0:
        return
    for folder, names, _ in os.walk(root):
        for name in names:
            inner = Path(folder) / name
            if not inner.is_symlink():
                inner.chmod(0o700)


def read_regular(path: Path, *, limit: int = 64 * MIB) -> bytes | None:
    """Return the first `limit` bytes of a regular file; None when it is missing or anything else.

    A link is not followed and a pipe does not block.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as opened:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return opened.read(limit)


def relative_parts(name: str) -> tuple[str, ...]:
    """Split a POSIX path that must stay inside its folder; raise `Unsafe` when it would not."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise Unsafe(f"{name!r} leaves its folder")
    return path.parts


def write_inside(root: Path, name: str, content: bytes, *, executable: bool = False) -> None:
    """Write `root`/`name`, making folders; raise `Unsafe` when a part of the way is a link or a file."""
    *folders, last = relative_parts(name)
    place = root
    for folder in folders:
        place = place / folder
        if place.is_symlink():
            raise Unsafe(f"{place} is a link: {name} would be written elsewhere")
        place.mkdir(exist_ok=True)
    target = place / last
    remove(target)
    target.write_bytes(content)
    target.chmod(0o755 if executable else 0o644)


def tree_files(root: Path) -> tuple[str, ...]:
    """Return every file and link under `root` as sorted POSIX paths, `.git` left out, no link followed."""
    found: list[str] = []
    for folder, names, files in os.walk(root, followlinks=False):
        here = Path(folder)
        links = [name for name in names if (here / name).is_symlink()]
        names[:] = [name for name in names if name != ".git" and name not in links]
        found += [(here / name).relative_to(root).as_posix() for name in (*files, *links) if name != ".git"]
    return tuple(sorted(found))
