"""Who a sandboxed command is, and giving it files.

Rules:
1. As root the command runs as one uid of its own that no account has; otherwise as the invoking user,
   shown under the same name and number inside its user namespace.
2. Handing over never follows a link and never changes a file that has another name elsewhere: such a
   file (a clone's hard-linked object, an installer's cache) is copied first.
"""

import os
import shutil
from pathlib import Path

UID = GID = 60_987  # between the ranges that distributions and systemd give out
USER = "aps"


def is_root() -> bool:
    """Say whether commands are dropped to the sandbox's uid (or share the invoking user's)."""
    return os.geteuid() == 0


def hand_over(path: Path) -> None:
    """Make the tree under `path` belong to the sandbox's uid when root; do nothing otherwise."""
    if not is_root():
        return
    status = path.lstat()
    _give(str(path), status)
    if path.is_dir() and not path.is_symlink():
        _give_below(str(path))


def _give_below(root: str) -> None:
    pending = [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                _give(entry.path, entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


def _give(path: str, status: os.stat_result) -> None:
    if status.st_uid == UID and status.st_gid == GID:
        return
    if status.st_nlink > 1 and not Path(path).is_dir():
        _unlink_from_others(path)
    os.chown(path, UID, GID, follow_symlinks=False)


def _unlink_from_others(path: str) -> None:
    copy = f"{path}.aps-copy"
    shutil.copy2(path, copy, follow_symlinks=False)
    Path(copy).replace(path)
