"""A small program that becomes root of a user namespace of its own and executes another program.

Users are who they were: every number maps to itself, so root may do to files what it could before. What
is its own is the count of processes per user: a fork bomb takes nothing from the runs beside it.
"""

import os
import sys

from services.sandbox import syscalls

SETUP_FAILED = 125


def main() -> None:
    """Execute argv[3:] in a user namespace of its own; argv[2] is the parent's pid, to die with it."""
    try:
        _enter()
        syscalls.set_process(syscalls.PR_SET_PDEATHSIG, syscalls.SIGKILL)
        if os.getppid() != int(sys.argv[2]):
            os._exit(SETUP_FAILED)
        os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606 -- no shell is the point
    except OSError as error:
        os.write(2, f"sandbox: {error}\n".encode(errors="replace"))
        os._exit(SETUP_FAILED)


def _enter() -> None:
    """Leave the user namespace; a child that stayed in it writes the maps, for one may not map oneself."""
    maps = {name: _same(name) for name in ("uid_map", "gid_map")}
    reading, writing = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        os.read(reading, 1)
        _write_maps(maps)
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    os.write(writing, b"u")
    _, status = os.waitpid(mapper, 0)
    if status != 0:
        raise OSError(os.waitstatus_to_exitcode(status), "the user namespace could not be mapped")
    os.close(reading)
    os.close(writing)


def _write_maps(maps: dict[str, str]) -> None:
    try:
        for name, lines in maps.items():
            descriptor = os.open(f"/proc/{os.getppid()}/{name}", os.O_WRONLY)
            os.write(descriptor, lines.encode())
            os.close(descriptor)
    except OSError as error:
        os._exit(error.errno or 1)
    os._exit(0)


def _same(name: str) -> str:
    """Map each range this namespace knows to itself: in a container it may be a part of all numbers."""
    with open(f"/proc/self/{name}") as known:  # noqa: PTH123 -- no pathlib in small programs
        ranges = [line.split() for line in known]
    return "\n".join(f"{inside} {inside} {count}" for inside, _, count in ranges)
