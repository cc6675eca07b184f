"""The folder for files of the moment: below the data folder, one for each process, swept by the next start.

Whatever makes temporary files in this process (`tempfile`) makes them there: on the disk that is watched for
room, and never left behind for good, however the process ends.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from services.runtime.data_folder import is_root, make_folder
from services.workspace.files import remove
from services.workspace.locks import alone_in, try_lock

log = structlog.get_logger()

_LOCK = "in-use.lock"


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """Give this process a folder below `root` for the time of the block; remove those of dead processes."""
    make_folder(root, 0o711 if is_root() else 0o700)
    with alone_in(root):
        for left in root.iterdir():
            _sweep(left)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
        lock = try_lock(folder / _LOCK)
    assert lock is not None  # noqa: S101 -- the folder is new, and nobody sweeps meanwhile
    former, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = former
        os.close(lock)
        _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove a folder that no living process holds; what cannot be removed now is for the next start."""
    try:
        lock = try_lock(folder / _LOCK)
        if lock is not None:
            os.close(lock)
            remove(folder)
    except OSError as problem:
        log.warning("temporary files stay behind", folder=str(folder), problem=str(problem))
