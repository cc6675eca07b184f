"""Builds the root a command sees, inside a mount namespace of its own, and enters it.

Rules:
1. Sources are opened before anything is mounted, so no mount of ours can hide or redirect them.
2. What is not put here does not exist inside: hiding is by absence.
3. The root itself and /dev are read-only in the end.
4. No pathlib: importing it would double the launcher's start-up time.
"""

import os

from services.sandbox import syscalls
from services.sandbox.plan import SHM, TMP, Plan
from services.sandbox.syscalls import ATTR_NODEV, ATTR_NOSUID, ATTR_RDONLY, MS_NODEV, MS_NOEXEC, MS_NOSUID

STAGE = "/tmp"  # noqa: S108 -- any folder that exists: the new root is mounted over it, unseen by others
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEV_LINKS = (
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
)
PROC_READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus")


def enter(plan: Plan) -> None:
    """Replace the root of this process by the one `plan` describes. Raises OSError."""
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
    devices = [(_opened(f"/dev/{name}"), f"{STAGE}/dev/{name}") for name in DEVICES]
    binds = [(_opened(source), f"{STAGE}{target}", writable) for source, target, writable in plan.binds]
    _tmpfs(STAGE, "0755", plan.tmp_bytes)
    _folder(f"{STAGE}/proc", 0o755)
    syscalls.mount("proc", f"{STAGE}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _make_dev(devices, plan.tmp_bytes)
    _make_tmp(plan)
    for target, link in plan.links:
        os.symlink(target, f"{STAGE}{link}")  # noqa: PTH211 -- no pathlib here
    for parent in plan.parents:
        _folder(f"{STAGE}{parent}", 0o755)
    for descriptor, target, writable in binds:
        _bind(descriptor, target, ATTR_NOSUID | ATTR_NODEV | (0 if writable else ATTR_RDONLY))
    for path, content in plan.files:
        _write(f"{STAGE}{path}", content)
    _protect_proc()
    for folder in (f"{STAGE}/dev", STAGE):
        syscalls.set_attributes(folder, ATTR_RDONLY, below=False)
    syscalls.enter_root(STAGE)


def _make_dev(devices: list[tuple[int, str]], size: int) -> None:
    _folder(f"{STAGE}/dev", 0o755)
    _tmpfs(f"{STAGE}/dev", "0755", size)
    for descriptor, target in devices:
        _bind(descriptor, target, ATTR_NOSUID)
    for target, name in DEV_LINKS:
        os.symlink(target, f"{STAGE}/dev/{name}")  # noqa: PTH211 -- no pathlib here
    _folder(f"{STAGE}/dev/pts", 0o755)
    options = "newinstance,ptmxmode=0666,mode=620"
    syscalls.mount("devpts", f"{STAGE}/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, options)
    _folder(f"{STAGE}{SHM}", 0o755)
    _tmpfs(f"{STAGE}{SHM}", "1777", size)


def _make_tmp(plan: Plan) -> None:
    _folder(f"{STAGE}{TMP}", 0o755)
    _tmpfs(f"{STAGE}{TMP}", "1777", plan.tmp_bytes)
    _folder(f"{STAGE}{plan.home}", 0o1777)


def _protect_proc() -> None:
    for name in PROC_READ_ONLY:
        path = f"{STAGE}/proc/{name}"
        if os.path.exists(path):  # noqa: PTH110 -- no pathlib here
            _bind(_opened(path), path, ATTR_RDONLY)


def _tmpfs(target: str, mode: str, size: int) -> None:
    syscalls.mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode},size={size}")


def _bind(source: int, target: str, attributes: int) -> None:
    name = f"/proc/self/fd/{source}"
    if os.path.isdir(name):  # noqa: PTH112 -- no pathlib here
        os.makedirs(target, exist_ok=True)  # noqa: PTH103 -- no pathlib here
    elif not os.path.exists(target):  # noqa: PTH110 -- no pathlib here
        _write(target, b"")
    syscalls.bind(name, target)
    syscalls.set_attributes(target, attributes, below=True)
    os.close(source)


def _folder(path: str, mode: int) -> None:
    if not os.path.isdir(path):  # noqa: PTH112 -- no pathlib here
        os.mkdir(path)  # noqa: PTH102 -- no pathlib here
        os.chmod(path, mode)  # noqa: PTH101 -- no pathlib here


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    os.write(descriptor, content)
    os.close(descriptor)


def _opened(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_CLOEXEC)
