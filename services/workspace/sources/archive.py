"""Unpacks source archives without trusting them.

Only files, folders and links that stay inside are written; owners, special files and modes other than
executable-or-not are left behind; links are made last, so that nothing is written through one.
"""

import posixpath
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.workspace.files import Unsafe, relative_parts, write_inside

_MOST_BYTES = 2 * 1024**3
_MOST_MEMBERS = 200_000


@dataclass(frozen=True)
class _Member:
    name: str
    content: bytes
    executable: bool
    link: str | None = None


def unpack(archive: Path, folder: Path) -> None:
    """Write the one root folder of `archive` (tar of any compression, or zip) as `folder`.

    Raises `Unsafe` when a member or link would leave the folder, or the whole is beyond the limits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    links: list[_Member] = []
    room = _MOST_BYTES
    for count, member in enumerate(_members(archive)):
        room -= len(member.content)
        if room < 0 or count > _MOST_MEMBERS:
            raise Unsafe(f"{archive.name} unpacks to more than {_MOST_BYTES} bytes or {_MOST_MEMBERS} files")
        if member.link is not None:
            links.append(member)
        # A repository inside the archive would be taken for a submodule.
        elif (inner := _inside(member.name)) and ".git" not in inner.split("/"):
            write_inside(folder, inner, member.content, executable=member.executable)
    for link in links:
        _make_link(folder, link)


def _inside(name: str) -> str:
    return "/".join(relative_parts(name)[1:])


def _make_link(folder: Path, member: _Member) -> None:
    inner, target = _inside(member.name), member.link or ""
    landing = posixpath.normpath(posixpath.join(posixpath.dirname(inner), target))
    if posixpath.isabs(target) or landing.split("/")[0] == "..":
        raise Unsafe(f"the link {member.name} leads outside, to {target}")
    write_inside(folder, inner, b"")
    (folder / inner).unlink()
    (folder / inner).symlink_to(target)


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        yield from _zip_members(archive)
        return
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                if member.issym():
                    yield _Member(member.name, b"", executable=False, link=member.linkname)
                elif member.isfile() or member.islnk():
                    reader = opened.extractfile(member)
                    content = reader.read(_MOST_BYTES + 1) if reader else b""
                    yield _Member(member.name, content, executable=bool(member.mode & stat.S_IXUSR))
    except (tarfile.TarError, EOFError, KeyError) as broken:
        raise Unsafe(f"{archive.name} is not a readable archive: {broken}") from broken


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            mode = info.external_attr >> 16
            if not info.is_dir() and not stat.S_ISLNK(mode):
                yield _Member(info.filename, opened.read(info), executable=bool(mode & stat.S_IXUSR))
