"""The few kernel calls the launcher needs and Python 3.11 does not offer cheaply; each raises OSError.

The module `signal` is slow to import: it loads `enum` and all that needs, for each run anew.
"""

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 0x80000
MNT_DETACH = 2

ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
MOUNT_SETATTR = 442  # the same number on every architecture
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "arm64": 41}

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP = 1, 4, 22
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 24, 38, 47
AMBIENT_CLEAR_ALL = 4
SECCOMP_FILTER = 2
SIGKILL = 9  # the same number on every architecture
SIG_DFL, SIG_ERR = 0, -1
CAPABILITY_VERSION = 0x20080522
LAST_CAPABILITY = 63

libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns", ctypes.c_uint64),
    )


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for fresh ones."""
    _checked(libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Call mount(2)."""
    answer = libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode() or None
    )
    _checked(answer, f"mount {target}")


def bind(source: str, target: str) -> None:
    """Show `source`, with all mounts below it, at `target`."""
    mount(source, target, "", MS_BIND | MS_REC)


def set_attributes(target: str, attributes: int, *, below: bool) -> None:
    """Add mount attributes to `target` and, if asked, to everything mounted below it."""
    wanted = _MountAttributes(attributes, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(wanted))
    how = AT_RECURSIVE if below else 0
    answer = libc.syscall(MOUNT_SETATTR, AT_FDCWD, target.encode(), how, ctypes.byref(wanted), size)
    _checked(answer, f"mount_setattr {target}")


def enter_root(folder: str) -> None:
    """Make the mount `folder` the root and let go of the old one."""
    os.chdir(folder)
    _checked(libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _checked(libc.umount2(b".", MNT_DETACH), "umount of the old root")
    os.chdir("/")


def set_process(option: int, *values: int) -> None:
    """Call prctl(2)."""
    padded = (*values, 0, 0, 0, 0)[:4]
    _checked(libc.prctl(option, *map(ctypes.c_ulong, padded)), f"prctl {option}")


def end_by_default(number: int) -> None:
    """Let signal `number` do again what it does to a program that says nothing about it."""
    _checked(int(libc.signal(number, ctypes.c_void_p(SIG_DFL)) == SIG_ERR), f"signal {number}")


def drop_bounding_set() -> None:
    """Give up every capability for all programs executed from here on."""
    for capability in range(LAST_CAPABILITY + 1):
        if libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) != 0:
            return  # the kernel knows no more of them


def clear_capabilities() -> None:
    """Give up every capability this process holds."""
    set_process(PR_CAP_AMBIENT, AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(libc.capset(header, nothing), "capset")


def filter_calls(program: bytes) -> None:
    """Apply a seccomp filter for ever; no_new_privs must be set."""
    loaded = _Filter(len(program) // 8, program)
    answer = libc.prctl(
        PR_SET_SECCOMP,
        ctypes.c_ulong(SECCOMP_FILTER),
        ctypes.byref(loaded),
        ctypes.c_ulong(0),
        ctypes.c_ulong(0),
    )
    _checked(answer, "seccomp")


def _checked(answer: int, what: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
