"""Landlock by its system calls: what this process and its children may do below which path.

Rules:
1. Every right the running kernel knows is handled, so what is not granted here is refused.
2. Version 1 forbids all moves between folders, which installers need: it counts as missing.
3. From version 6 signals and abstract sockets do not leave the sandbox either, whatever the network.
"""

import ctypes
import os

from services.sandbox.syscalls import libc

CREATE, ADD_RULE, RESTRICT = 444, 445, 446
VERSION_QUERY = 1
PATH_BENEATH = 1
LEAST_VERSION = 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
RIGHTS_BY_VERSION = {1: 1 << 13, 2: 1 << 14, 3: 1 << 15, 4: 1 << 15, 5: 1 << 16}
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15  # and truncate, device ioctl
READING = EXECUTE | READ_FILE | READ_DIR
DEVICES = READ_FILE | WRITE_FILE | 1 << 14 | 1 << 15
SCOPED = 0b11  # abstract unix sockets, signals


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Return the kernel's Landlock version, 0 where there is none or one too old to use."""
    found = int(libc.syscall(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION_QUERY)))
    return found if found >= LEAST_VERSION else 0


def ruleset(known: int, writable: tuple[str, ...], devices: tuple[str, ...]) -> int:
    """Return a descriptor of the rules: read and execute anything seen, change only the paths named.

    `known` is the kernel's version. The paths are opened here, so this comes before the uid is dropped:
    a folder may be closed to that uid. Raises OSError.
    """
    handled = RIGHTS_BY_VERSION[min(known, 5)] - 1
    attributes = _Ruleset(handled, 0, SCOPED if known >= 6 else 0)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    rules = _checked(libc.syscall(CREATE, ctypes.byref(attributes), ctypes.c_size_t(size), 0))
    _allow(rules, "/", READING & handled)
    for path in writable:
        _allow(rules, path, handled)
    for path in devices:
        _allow(rules, path, (READING | DEVICES) & handled)
    return rules


def restrict(rules: int) -> None:
    """Bind this process and its children to `rules` for ever; no_new_privs must be set."""
    _checked(libc.syscall(RESTRICT, rules, 0))
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not os.path.isdir(path):  # noqa: PTH112 -- no pathlib in the launcher
        rights &= FILE_RIGHTS
    rule = _PathBeneath(rights, descriptor)
    _checked(libc.syscall(ADD_RULE, rules, PATH_BENEATH, ctypes.byref(rule), 0))
    os.close(descriptor)


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"landlock: {os.strerror(number)}")
    return answer
