"""The files a model may reach: those of one work tree, opened step by step from its root.

Each part of a path is opened relative to the folder before it and never through a link, so that neither `..`
nor a link, nor one put there meanwhile, leads out. Files are replaced whole: a hard link, a device or a pipe
under a name is never written through.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

FILE_BYTES = 1_000_000
WRITTEN_BYTES = 16_000_000  # in one task
NAMES = 2_000
_ENTRIES = 20_000  # looked at in one listing
_DEPTH = 40
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Inaccessible(Exception):  # noqa: N818 -- says what the path is
    """A path is outside the tree, not there, or nothing that may be read or written; said to the model."""


def parts_of(path: str) -> tuple[str, ...]:
    """Split a path of the tree; "." is its root. Raises `Inaccessible`."""
    if path.startswith("/"):
        raise Inaccessible(f"{path!r} is absolute: name files relative to the work tree")
    if any(ord(char) < 32 or 0xD800 <= ord(char) < 0xE000 for char in path) or len(path.encode()) > 4_000:
        raise Inaccessible("the path holds a control character or is too long")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise Inaccessible(f"{path!r} leaves the work tree")
    if any(part.casefold().rstrip(". ") == ".git" for part in parts):
        raise Inaccessible(f"{path!r} belongs to git, not to the work tree")
    return parts


class Tree:
    """One work tree. What is asked of it runs to its end at once; a file is there whole or as it was."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._written = 0

    def names(self, path: str) -> tuple[str, ...]:
        """Return the paths of all files below a folder, sorted, links marked; at most `NAMES` and a note."""
        parts = parts_of(path)
        with self._folder(parts) as folder:
            found = list(islice(_walk(folder, "/".join(parts), [_ENTRIES], _DEPTH), NAMES + 1))
        more = ("... and more: list a folder of it",) if len(found) > NAMES else ()
        listed = sorted(found[:NAMES])
        return (*(os.fsencode(name).decode("utf-8", "replace") for name in listed), *more)

    def read(self, path: str) -> str:
        """Return a file's text. Raises `Inaccessible`."""
        return self._contents(parts_of(path), path)

    def write(self, path: str, text: str) -> None:
        """Write a file whole, making its folders. Raises `Inaccessible`."""
        parts = parts_of(path)
        content = text.encode()
        self._afford(len(content), path)
        if not parts:
            raise Inaccessible("the work tree itself is no file")
        with self._folder(parts[:-1], make=True) as folder:
            _replace(folder, parts[-1], content, _mode_kept(folder, parts[-1], path))
        self._written += len(content)

    def replace(self, path: str, old: str, new: str) -> None:
        """Put `new` for `old`, which must stand in the file exactly once. Raises `Inaccessible`."""
        text = self._contents(parts_of(path), path)
        count = text.count(old) if old else 0
        if count != 1:
            raise Inaccessible(f"the old text stands {count} times in {path!r}, not once")
        self.write(path, text.replace(old, new))

    def _afford(self, size: int, path: str) -> None:
        if size > FILE_BYTES:
            raise Inaccessible(f"{path!r} would be over {FILE_BYTES} bytes")
        if self._written + size > WRITTEN_BYTES:
            raise Inaccessible(f"over {WRITTEN_BYTES} bytes were written in this task")

    def _contents(self, parts: tuple[str, ...], path: str) -> str:
        """Return a regular file's text."""
        if not parts:
            raise Inaccessible("the work tree itself is no file")
        with self._folder(parts[:-1]) as folder:
            _regular(folder, parts[-1], path)
            try:
                handle = os.open(parts[-1], _READ, dir_fd=folder)
            except OSError as problem:
                raise Inaccessible(_said(path, problem)) from None
            with os.fdopen(handle, "rb") as opened:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise Inaccessible(f"{path!r} is no regular file")
                content = opened.read(FILE_BYTES + 1)
        if len(content) > FILE_BYTES:
            raise Inaccessible(f"{path!r} is over {FILE_BYTES} bytes")
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise Inaccessible(f"{path!r} is not UTF-8 text") from None

    @contextmanager
    def _folder(self, parts: tuple[str, ...], *, make: bool = False) -> Iterator[int]:
        """Open a folder of the tree, part by part."""
        try:
            here = os.open(self._root, _FOLDER)
        except OSError as problem:
            raise Inaccessible(_said("the work tree", problem)) from None
        try:
            for part in parts:
                here = _step(here, part, make=make)
            yield here
        finally:
            os.close(here)


def _step(here: int, part: str, *, make: bool) -> int:
    """Go from one open folder to one in it; the first is closed once the second is open."""
    try:
        if make and not _there(here, part):
            os.mkdir(part, dir_fd=here)
        inner = os.open(part, _FOLDER, dir_fd=here)
    except OSError as problem:
        raise Inaccessible(_said(part, problem)) from None
    os.close(here)
    return inner


def _there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _regular(folder: int, name: str, path: str) -> int:
    """Return the mode of a regular file. Anything else is refused before it is opened: a device may act."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as problem:
        raise Inaccessible(_said(path, problem)) from None
    if not stat.S_ISREG(found.st_mode):
        what = "a link, which is not followed" if stat.S_ISLNK(found.st_mode) else "no regular file"
        raise Inaccessible(f"{path!r} is {what}")
    return found.st_mode


def _mode_kept(folder: int, name: str, path: str) -> int:
    try:
        there = _there(folder, name)
    except OSError as problem:
        raise Inaccessible(_said(path, problem)) from None
    return stat.S_IMODE(_regular(folder, name, path)) & 0o777 if there else 0o644


def _replace(folder: int, name: str, content: bytes, mode: int) -> None:
    part = f".aps-{secrets.token_hex(8)}.part"
    try:
        handle = os.open(part, _CREATE, 0o600, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(content)
                os.fchmod(handle, mode)
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(part, dir_fd=folder)
            raise
    except OSError as problem:
        raise Inaccessible(_said(name, problem)) from None


def _walk(folder: int, at: str, left: list[int], depth: int) -> Iterator[str]:
    """Yield the files below an open folder; `left` counts down what is still looked at."""
    with os.scandir(folder) as entries:
        listed = sorted(islice(entries, left[0] + 1), key=lambda entry: entry.name)
    left[0] -= len(listed)
    for entry in listed:
        path = f"{at}/{entry.name}" if at else entry.name
        if entry.name.casefold() == ".git":
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(folder, entry.name, path, left, depth)
        elif entry.is_symlink():
            yield f"{path} (a link, not followed)"
        elif entry.is_file(follow_symlinks=False):
            yield path
    if left[0] < 0:
        yield f"{at or '.'}: more than is listed"


def _below(folder: int, name: str, path: str, left: list[int], depth: int) -> Iterator[str]:
    if depth == 0 or left[0] < 0:
        yield f"{path}/ (not looked into)"
        return
    try:
        inner = os.open(name, _FOLDER, dir_fd=folder)
    except OSError:
        yield f"{path}/ (not to be opened)"
        return
    try:
        yield from _walk(inner, path, left, depth - 1)
    finally:
        os.close(inner)


def _said(path: str, problem: OSError) -> str:
    """Say what the system said, without a path of this machine."""
    return f"{path!r}: {os.strerror(problem.errno or 0).lower()}"
