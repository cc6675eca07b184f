"""A small disk that a test fills to the last byte, and what is told of it when the test fails."""

import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.runtime.embedded.problem import tail
from services.runtime.room import RESERVE
from services.sandbox.port import MIB

DISK_MIB = 256
# Once the filler is gone, far more than what ends the waiting must be free: servers write meanwhile.
ROOM = 2 * RESERVE
_DEPTH, _MOST = 3, 12


@contextmanager
def small_disk() -> Iterator[Path]:
    """Mount an empty disk for the time of the block, as root. Fails where nothing can be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="aps-small-disk-"))
    options = ("-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0711", "tmpfs", str(folder))
    mounted = subprocess.run(("mount", *options), capture_output=True, text=True, check=False)
    if mounted.returncode:
        folder.rmdir()
        pytest.fail(f"nothing can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(("umount", str(folder)), check=True)
        folder.rmdir()


@contextmanager
def full(disk: Path, least: int = ROOM) -> Iterator[None]:
    """Leave not a byte free for the time of the block. Fails where fewer than `least` are free before."""
    free = room(disk)
    assert free >= least, f"not {least // MIB} MB free before the disk is filled: {describe(disk)}"
    assert disk.is_mount(), f"{disk} is no disk of its own"
    _fill(disk / "filler")
    try:
        yield
    finally:
        (disk / "filler").unlink()


@contextmanager
def told(disk: Path) -> Iterator[None]:
    """Add to whatever fails inside what the disk holds by then, and the last words of its servers."""
    try:
        yield
    except BaseException as problem:
        problem.add_note(describe(disk))
        raise


def room(disk: Path) -> int:
    """Return the free bytes."""
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def describe(disk: Path) -> str:
    """Say how much is free, which folders and files take most, and how the logs of the servers end."""
    taken = Counter[Path]()
    for folder, _, names in os.walk(disk):
        for path in (Path(folder, name) for name in names):
            taken[Path(*path.relative_to(disk).parts[:_DEPTH])] += _bytes(path)
    largest = [f"{size / MIB:8.1f} MB  {path}" for path, size in taken.most_common(_MOST)]
    logs = [f"{path.relative_to(disk)}:\n{tail(path, 0)}" for path in sorted(disk.rglob("logs/*.log"))]
    return "\n".join([f"{disk}, {room(disk) // MIB} MB free", *largest, *logs])


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except FileNotFoundError:  # a server removed it just now
        return 0


def _fill(filler: Path) -> None:
    """Write until not a byte more fits, what others give back meanwhile included."""
    size = MIB
    with filler.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
            else:
                size = MIB
